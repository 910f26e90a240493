"""Progress of each label of a run: how many candidates were asked for, made, accepted, rejected.

The database groups and sorts; a run may have 100,000 labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Label, Step
from chatgenimage.db.states import BatchState, StepState, Verdict


class LabelOrder(StrEnum):
    """Order of labels; those of equal rank are in the order of the submission."""

    SUBMITTED = "submitted"
    NAME = "name"
    ACCEPTED = "accepted"
    """The label that lacks the greatest share of what was asked comes first."""
    REJECTED = "rejected"
    """The label with the most rejected candidates comes first."""
    ACTIVE = "active"
    """Labels that a worker has, those in flight, those that are done and short, the others."""


class LabelState(StrEnum):
    """State of a label's batches."""

    RUNNING = "running"
    """A worker holds a step."""
    QUEUED = "queued"
    WAITING = "waiting"
    """No batch has begun, or the others wait for the dispatcher."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class LabelProgress:
    """Counts of one label.

    Attributes:
        asked: Accepted candidates that were asked for: its quota, or without one its images.
        has_quota: Whether a number of accepted candidates was asked for.
        accepted: Accepted candidates of every origin.
    """

    label_id: int
    label: str
    asked: int
    has_quota: bool
    made: int
    accepted: int
    rejected: int
    state: LabelState

    @property
    def missing(self) -> int:
        """Return how many accepted candidates are missing."""
        return max(self.asked - self.accepted, 0)


@dataclass(frozen=True, slots=True)
class LabelStates:
    """Number of labels by the state of their batches."""

    in_flight: int
    waiting: int
    done: int


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of each label, as columns of a query; a label that lacks one has no row of it."""

    made: Subquery
    open_: Subquery
    running: Subquery

    @property
    def asked(self) -> ColumnElement[int]:
        """Return the number of images asked for: the quota, else the initial images."""
        return func.coalesce(Label.quota, Label.per_label)

    @property
    def accepted(self) -> ColumnElement[int]:
        """Return the number of accepted candidates."""
        return _number(self.made.c.accepted)

    @property
    def rejected(self) -> ColumnElement[int]:
        """Return the number of rejected candidates."""
        return _number(self.made.c.rejected)

    def to_state(self) -> ColumnElement[LabelState]:
        """Return the state of the label."""
        return case(
            (self.running.c.steps > 0, LabelState.RUNNING),
            (self.open_.c.in_flight > 0, LabelState.QUEUED),
            (self.open_.c.waiting > 0, LabelState.WAITING),
            else_=LabelState.DONE,
        )

    def to_rank(self, order: LabelOrder) -> tuple[ColumnElement[Any], ...]:
        """Return what the labels are sorted by; the least value comes first."""
        share = self.accepted * 1.0 / func.nullif(self.asked, 0)
        match order:
            case LabelOrder.SUBMITTED:
                return ()
            case LabelOrder.NAME:
                return (Label.name.expression,)
            case LabelOrder.ACCEPTED:
                return (share, self.accepted - self.asked)
            case LabelOrder.REJECTED:
                return (-self.rejected,)
            case LabelOrder.ACTIVE:
                places = {LabelState.RUNNING: 0, LabelState.QUEUED: 1, LabelState.WAITING: 3}
                done = case((self.accepted < self.asked, 2), else_=4)
                return (case(places, value=self.to_state(), else_=done), share)


def list_label_progress(
    session: Session,
    run_id: int,
    order: LabelOrder = LabelOrder.SUBMITTED,
    *,
    is_short: bool = False,
    limit: int | None = None,
) -> list[LabelProgress]:
    """Return the labels of a run.

    Args:
        session: To read with.
        run_id: Id of the run.
        order: Which come first.
        is_short: Only those that have fewer accepted candidates than were asked for.
        limit: Maximum number of labels; None is no limit.
    """
    counts = _Counts(_count_made(run_id), _count_open(run_id), _count_running(run_id))
    query = (
        select(
            Label.id,
            Label.name,
            counts.asked,
            Label.quota.is_not(None),
            _number(counts.made.c.made),
            counts.accepted,
            counts.rejected,
            counts.to_state(),
        )
        .outerjoin(counts.made, counts.made.c.label_id == Label.id)
        .outerjoin(counts.open_, counts.open_.c.label_id == Label.id)
        .outerjoin(counts.running, counts.running.c.label_id == Label.id)
        .where(Label.run_id == run_id)
        .order_by(*counts.to_rank(order), Label.id)
        .limit(limit)
    )
    if is_short:
        query = query.where(counts.accepted < counts.asked)
    rows = session.execute(query).all()
    return [replace(LabelProgress(*row), state=LabelState(row[-1])) for row in rows]


def list_first_labels(
    session: Session, run_id: int, order: LabelOrder, limit: int
) -> Sequence[int]:
    """Return the ids of the first labels in an order.

    Of 100,000 labels this takes no time as submitted and by name; other orders count candidates.
    """
    if order in {LabelOrder.SUBMITTED, LabelOrder.NAME}:
        query = select(Label.id).where(Label.run_id == run_id).limit(limit)
        by_name = (Label.name,) if order is LabelOrder.NAME else ()
        return session.scalars(query.order_by(*by_name, Label.id)).all()
    return [one.label_id for one in list_label_progress(session, run_id, order, limit=limit)]


def count_label_states(session: Session, run_id: int, labels: int) -> LabelStates:
    """Return how many of a run's labels have batches in flight, only waiting ones, or none left."""
    open_ = _count_open(run_id)
    in_flight, waiting = session.execute(
        select(
            func.count().filter(open_.c.in_flight > 0), func.count().filter(open_.c.in_flight == 0)
        ).select_from(open_)
    ).one()
    return LabelStates(in_flight, waiting, labels - in_flight - waiting)


def count_reasons(
    session: Session, run_id: int, label_ids: Sequence[int]
) -> dict[int, dict[str, int]]:
    """Return the number of rejected candidates by label id and reason, most frequent first."""
    rows = session.execute(
        select(Candidate.label_id, Candidate.reason, func.count().label("rejected"))
        .where(Candidate.run_id == run_id, Candidate.verdict == Verdict.REJECTED)
        .where(Candidate.label_id.between(min(label_ids, default=0), max(label_ids, default=0)))
        .group_by(Candidate.label_id, Candidate.reason)
        .order_by(func.count().desc(), Candidate.reason)
    )
    found: dict[int, dict[str, int]] = {label_id: {} for label_id in label_ids}
    for label_id, reason, count in rows:
        if label_id in found:
            found[label_id][reason or ""] = count
    return found


def _number(column: ColumnElement[int]) -> ColumnElement[int]:
    return func.coalesce(column, 0)


def _count_made(run_id: int) -> Subquery:
    """Return the query of candidates by label: made, accepted and rejected."""
    return (
        select(
            Candidate.label_id,
            func.count().label("made"),
            func.count().filter(Candidate.verdict == Verdict.ACCEPTED).label("accepted"),
            func.count().filter(Candidate.verdict == Verdict.REJECTED).label("rejected"),
        )
        .where(Candidate.run_id == run_id)
        .group_by(Candidate.label_id)
        .subquery()
    )


def _count_open(run_id: int) -> Subquery:
    """Return the query of unfinished batches by label: in flight and waiting."""
    return (
        select(
            Batch.label_id,
            func.count().filter(Batch.state == BatchState.IN_FLIGHT).label("in_flight"),
            func.count().filter(Batch.state == BatchState.WAITING).label("waiting"),
        )
        .where(Batch.run_id == run_id, Batch.state.in_((BatchState.WAITING, BatchState.IN_FLIGHT)))
        .group_by(Batch.label_id)
        .subquery()
    )


def _count_running(run_id: int) -> Subquery:
    return (
        select(Batch.label_id, func.count().label("steps"))
        .join(Step, Step.batch_id == Batch.id)
        .where(Batch.run_id == run_id, Step.state == StepState.RUNNING)
        .group_by(Batch.label_id)
        .subquery()
    )
