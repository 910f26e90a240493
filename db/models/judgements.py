"""Records of filtering: scores, fingerprints, refilter history and reviews."""

import time
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatgenimage.db.models.base import Base


class Score(Base):
    """A named measurement of a candidate, with the threshold it was compared with."""

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
    """NULL for a score that is recorded but has no threshold."""


class VisualAnswer(Base):
    """A question about a candidate to a vision-language model, and its answer."""

    __tablename__ = "visual_answer"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Name of the score that it becomes."""
    index: Mapped[int] = mapped_column(primary_key=True)
    """Index of the annotation that it is about; -1: the whole image."""
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    value: Mapped[float | None]
    """In [0, 1]; NULL if the answer says no number."""
    model: Mapped[str] = mapped_column(String(200))


class Fingerprint(Base):
    """Perceptual hash and embedding of a candidate, to find its near-duplicates."""

    __tablename__ = "fingerprint"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), primary_key=True)
    phash: Mapped[str] = mapped_column(String(16))
    """Perceptual hash: 64 bits as hexadecimal digits."""
    embedding: Mapped[bytes]
    """The image's CLIP embedding: a unit vector in half precision, little-endian."""


class Rejudging(Base):
    """A refilter: all verdicts of a run derived again from its scores, with new thresholds."""

    __tablename__ = "rejudging"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    created_at: Mapped[float] = mapped_column(default=time.time)
    author: Mapped[str] = mapped_column(String(200))
    """The person who started it, as user@host."""
    limits: Mapped[dict[str, Any]]
    """The threshold of each rule, by the score's name."""

    changes: Mapped[list["VerdictChange"]] = relationship(order_by="VerdictChange.id")


class VerdictChange(Base):
    """The change of one candidate's verdict or reason by a refilter."""

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
    """A person's review of a candidate; rows are only added, the newest one counts."""

    __tablename__ = "mark"

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    is_good: Mapped[bool | None]
    """NULL withdraws earlier reviews."""
    author: Mapped[str] = mapped_column(String(200))
    """The reviewer, as user@host."""
    created_at: Mapped[float] = mapped_column(default=time.time)
