"""What whoever asked for it is told of a run."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class Notification(Base):
    """One thing to tell over one channel: written with what it tells of, told by any process."""

    __tablename__ = "notification"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    event: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float]
    attempts: Mapped[int] = mapped_column(default=0)
    """Counted at the claim, so that crashes count."""
    run_after: Mapped[float] = mapped_column(default=0.0)
    """When the next attempt may begin: after a claim, when whoever claimed it must be gone."""
    told_at: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt failed."""
