"""Notification records (transactional outbox)."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class Notification(Base):
    """One notification over one channel; written in the same transaction as its event."""

    __tablename__ = "notification"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    event: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float]
    attempts: Mapped[int] = mapped_column(default=0)
    """Counted at the claim, so that crashes count."""
    run_after: Mapped[float] = mapped_column(default=0.0)
    """Earliest time of the next attempt; after a claim, the time when the claim expires."""
    told_at: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt failed."""
