"""How many accepted candidates were asked for, and what a label has come to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import Batch, Candidate, Label
from db.states import Verdict


@dataclass(frozen=True, slots=True)
class Quota:
    """What is asked for of a label, and what it has.

    Attributes:
        asked: Accepted candidates that are asked for.
        max_images: Most images that may be generated on the way there.
        images: How many were generated, or are to be.
        batches: In how many batches.
    """

    label_id: int
    label: str
    asked: int
    max_images: int
    accepted: int
    images: int
    batches: int

    @property
    def missing(self) -> int:
        """Return how many are missing."""
        return max(self.asked - self.accepted, 0)


def list_quotas(session: Session, run_id: int) -> list[Quota]:
    """Return the quotas of a run's labels, of those that have one."""
    accepted = (
        select(func.count())
        .where(Candidate.run_id == run_id, Candidate.label_id == Label.id)
        .where(Candidate.verdict == Verdict.ACCEPTED)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Label.id,
            Label.name,
            Label.quota,
            Label.max_images,
            accepted,
            func.sum(Batch.size),
            func.count(Batch.id),
        )
        .join(Batch, Batch.label_id == Label.id)
        .where(Label.run_id == run_id, Label.quota.is_not(None))
        .group_by(Label.id)
        .order_by(Label.id)
    )
    return [Quota(*row) for row in rows]


def add_batches(session: Session, run_id: int, quota: Quota, sizes: Sequence[int]) -> None:
    """Add batches to a label, behind those that it has."""
    session.add_all(
        Batch(run_id=run_id, label_id=quota.label_id, index=index, size=size)
        for index, size in enumerate(sizes, start=quota.batches)
    )
