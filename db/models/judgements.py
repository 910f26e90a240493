"""What candidates are judged by, and what was said of them."""

import time
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatgenimage.db.models.base import Base


class Score(Base):
    """A named measurement on a candidate, beside the threshold it was held to."""

    __tablename__ = "score"
    __table_args__ = (
        UniqueConstraint("candidate_id", "name"),
        Index("ix_score_name_value", "name", "value", "candidate_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    name: Mapped[str] = mapped_column(String(32))
    value: Mapped[float]
    threshold: Mapped[float | None]
    passed: Mapped[bool | None]
    """NULL for a score that is recorded but not judged."""


class Fingerprint(Base):
    """What near-duplicates of a candidate are found by."""

    __tablename__ = "fingerprint"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), primary_key=True)
    phash: Mapped[str] = mapped_column(String(16))
    """Perceptual hash: 64 bits as hexadecimal digits."""
    embedding: Mapped[bytes]
    """The image's CLIP embedding: a unit vector in half precision, little-endian."""


class Rejudging(Base):
    """All of a run's verdicts derived again from its scores, under other thresholds."""

    __tablename__ = "rejudging"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    created_at: Mapped[float] = mapped_column(default=time.time)
    author: Mapped[str] = mapped_column(String(200))
    """Who asked for it, as user@host."""
    limits: Mapped[dict[str, Any]]
    """The threshold of each rule, by the score's name."""

    changes: Mapped[list["VerdictChange"]] = relationship(order_by="VerdictChange.id")


class VerdictChange(Base):
    """What a rejudging changed about one candidate."""

    __tablename__ = "verdict_change"
    __table_args__ = (UniqueConstraint("rejudging_id", "candidate_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rejudging_id: Mapped[int] = mapped_column(ForeignKey("rejudging.id"))
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    verdict_before: Mapped[str] = mapped_column(String(16))
    reason_before: Mapped[str | None] = mapped_column(String(64))
    verdict_after: Mapped[str] = mapped_column(String(16))
    reason_after: Mapped[str | None] = mapped_column(String(64))


class Mark(Base):
    """What a person said of a candidate; rows are only ever added, the newest stands."""

    __tablename__ = "mark"

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    is_good: Mapped[bool | None]
    """NULL takes back what was said before."""
    author: Mapped[str] = mapped_column(String(200))
    """Who said so, as user@host."""
    created_at: Mapped[float] = mapped_column(default=time.time)
