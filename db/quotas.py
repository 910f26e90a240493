"""Quotas: requested numbers of accepted candidates, and the current numbers of each label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.models import Batch, Candidate, Label
from chatgenimage.db.states import BatchState, Verdict

_other = aliased(Batch)


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of a label and its current numbers.

    Attributes:
        asked: Requested number of accepted candidates.
        max_images: Maximum number of images that may be generated for it.
        images: Number of images that were generated or planned.
        batches: Number of their batches.
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
        """Return how many accepted candidates are missing."""
        return max(self.asked - self.accepted, 0)


def list_quotas(session: Session, run_id: int) -> list[Quota]:
    """Return the quotas of those labels of a run that have one."""
    query = _quotas(_count(Candidate.verdict == Verdict.ACCEPTED)).where(Label.run_id == run_id)
    return [Quota(*row) for row in session.execute(query)]


def list_short(session: Session, run_id: int) -> list[Quota]:
    """Return the quotas that a label does not reach although all its batches are done.

    A near-duplicate counts as accepted here. Near-duplicates are found across labels when all
    batches of the run are done; until then a label's number of images may depend on itself only.
    """
    open_states = (BatchState.WAITING, BatchState.IN_FLIGHT)
    is_open = select(_other.id).where(_other.label_id == Label.id, _other.state.in_(open_states))
    is_good = or_(Candidate.verdict == Verdict.ACCEPTED, Candidate.duplicate_of_id.is_not(None))
    good = _count(is_good)
    query = (
        _quotas(good)
        .where(Label.run_id == run_id, ~is_open.exists())
        .having(good < Label.quota, func.sum(Batch.size) < Label.max_images)
    )
    return [Quota(*row) for row in session.execute(query)]


def add_batches(session: Session, run_id: int, quota: Quota, sizes: Sequence[int]) -> None:
    """Add batches to a label, after its existing ones."""
    session.add_all(
        Batch(run_id=run_id, label_id=quota.label_id, index=index, size=size)
        for index, size in enumerate(sizes, start=quota.batches)
    )


def _count(is_counted: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return a subquery that counts the candidates of a label that fulfil a condition."""
    return (
        select(func.count())
        .where(Candidate.run_id == Label.run_id, Candidate.label_id == Label.id, is_counted)
        .correlate(Label)
        .scalar_subquery()
    )


def _quotas(accepted: ScalarSelect[int]) -> Select[*tuple[Any, ...]]:
    return (
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
        .where(Label.quota.is_not(None))
        .group_by(Label.id)
        .order_by(Label.id)
    )
