"""Workers that are alive, by their heartbeats."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class LiveWorker(Base):
    """A worker process that runs; it deletes its row when it ends, unless it is killed."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    """Role, host and pid, as in `Step.owner`, without the child's pid."""
    queues: Mapped[list[str]]
    models_key: Mapped[str] = mapped_column(String(64))
    """Hash of its families: it works only on runs with the same hash."""
    is_ready: Mapped[bool]
    """Whether its models are loaded."""
    beat_at: Mapped[float]
    """Time of its last heartbeat, by the database's clock."""
