"""Progress of a run in numbers, for the live view, `factory status` and scripts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Item, Label, Run, Step
from chatgenimage.db.quotas import Quota, list_quotas
from chatgenimage.db.runs import count_outcomes
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState, Verdict


@dataclass(frozen=True, slots=True)
class StepCount:
    """Number of items by state, of one label and one kind of step."""

    label: str
    step: str
    waiting: int = 0
    running: int = 0
    done: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class RunOverview:
    """Progress of a run at one time.

    Attributes:
        steps: Per label and step, in the order of the chain.
        accepted: Number of candidates per label and origin.
        rejected: Number of candidates per label and reason.
        batches_waiting: Batches that the dispatcher has not admitted yet.
        batches_cancelled: Batches that were not done when the run was cancelled.
        quotas: Of the labels that have one.
        waits_for: The reason of the last step that was put back, if any; None too if the run is not
            active.
    """

    steps: tuple[StepCount, ...] = ()
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    batches_waiting: int = 0
    batches_cancelled: int = 0
    batches: int = 0
    batches_done: int = 0
    waits_for: str | None = None
    quotas: tuple[Quota, ...] = ()

    @property
    def batches_in_flight(self) -> int:
        """Return how many batches were admitted and are not done."""
        settled = self.batches_waiting + self.batches_done + self.batches_cancelled
        return self.batches - settled


ALL_LABELS = ""
"""Instead of a label's name, in counts over all labels."""


def overview(session: Session, run_id: int, *, by_label: bool = True) -> RunOverview:
    """Return the progress of a run.

    Args:
        session: To read with.
        run_id: Id of the run.
        by_label: Whether to count for each label. False is fast for 100,000 labels: the database
            adds them up, under the name `ALL_LABELS`. The quotas are by label in any case.
    """
    states = _count_batches(session, run_id)
    result = RunOverview(
        steps=count_label_steps(session, run_id) if by_label else _sum_steps(session, run_id),
        batches=sum(states.values()),
        batches_done=states[BatchState.DONE],
        batches_waiting=states[BatchState.WAITING],
        batches_cancelled=states[BatchState.CANCELLED],
        waits_for=_find_trouble(session, run_id),
        quotas=tuple(list_quotas(session, run_id)),
    )
    outcomes = count_outcomes(session, run_id) if by_label else _count_all(session, run_id)
    for label, origin, verdict, reason, count in outcomes:
        result.made[label, origin] += count
        if verdict == Verdict.ACCEPTED:
            result.accepted[label, origin] += count
        elif verdict == Verdict.REJECTED:
            result.rejected[label, reason or ""] += count
    return result


def _find_trouble(session: Session, run_id: int) -> str | None:
    return session.scalar(
        select(Step.error)
        .join(Batch, Batch.id == Step.batch_id)
        .join(Run, Run.id == Batch.run_id)
        .where(Batch.run_id == run_id, Step.state == StepState.READY, Step.error.is_not(None))
        .where(Run.state == RunState.ACTIVE)
        .order_by(Step.run_after.desc(), Step.id.desc())
        .limit(1)
    )


def _count_all(
    session: Session, run_id: int
) -> Iterator[tuple[str, str, str | None, str | None, int]]:
    outcome = (Candidate.verdict, Candidate.reason, Candidate.origin)
    counted = select(*outcome, func.count()).where(Candidate.run_id == run_id).group_by(*outcome)
    for verdict, reason, origin, count in session.execute(counted.order_by(*outcome)):
        yield ALL_LABELS, origin, verdict, reason, count


def count_label_steps(
    session: Session, run_id: int, label_ids: Sequence[int] | None = None
) -> tuple[StepCount, ...]:
    """Return the items of each step, labels as submitted, steps in the order of the chain.

    Args:
        session: To read with.
        run_id: Id of the run.
        label_ids: Only these labels; None: all.
    """
    query = _step_counts(Batch.label_id.expression).where(Batch.run_id == run_id)
    names = select(Label.id, Label.name).where(Label.run_id == run_id)
    if label_ids is not None:
        query = query.where(Batch.label_id.in_(label_ids))
        names = names.where(Label.id.in_(label_ids))
    known = dict(iter(session.execute(names)))
    return _to_counts((known[label_id], *rest) for label_id, *rest in session.execute(query))


def _sum_steps(session: Session, run_id: int) -> tuple[StepCount, ...]:
    query = _step_counts(literal(0)).where(Batch.run_id == run_id)
    return _to_counts((ALL_LABELS, *rest) for _, *rest in session.execute(query))


def _step_counts(label: ColumnElement[int]) -> Select[int, str, str, str, int]:
    states = (Step.name, Step.state, Item.state)
    return (
        select(label, *states, func.count(Item.id))
        .join(Batch, Batch.id == Step.batch_id)
        .join(Item, Item.step_id == Step.id)
        .group_by(label, *states)
        .order_by(label, func.min(Step.position))
    )


def _to_counts(rows: Iterable[tuple[Any, ...]]) -> tuple[StepCount, ...]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for name, step, step_state, item_state, count in rows:
        counts.setdefault((name, step), Counter())[_column(step_state, item_state)] += count
    return tuple(StepCount(name, step, **found) for (name, step), found in counts.items())


def _column(step_state: str, item_state: str) -> str:
    if item_state != ItemState.READY:
        return item_state
    return "running" if step_state == StepState.RUNNING else "waiting"


def _count_batches(session: Session, run_id: int) -> Counter[str]:
    rows = session.execute(
        select(Batch.state, func.count()).where(Batch.run_id == run_id).group_by(Batch.state)
    )
    states: Counter[str] = Counter()
    for state, count in rows:
        states[state] = count
    return states
