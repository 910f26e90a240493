"""Metrics for monitoring, counted from rows, so that they stay right when a process dies."""

from dataclasses import dataclass

from sqlalchemy import Row, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.clock import now
from chatgenimage.db.delivery_statements import IS_RELEASED
from chatgenimage.db.dispatching import in_flight
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.runs import count_outcomes
from chatgenimage.db.spending import Spending, spending
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState

LANGUAGE = "language"
"""The queue whose steps need no GPU."""


@dataclass(frozen=True, slots=True)
class StepTotals:
    """Totals of all items of one kind of step in one run.

    Attributes:
        timed: Number of items with a known duration.
        seconds: Sum of their durations.
        retries: Number of attempts after the first.
        quarantined: Number of items that were given up.
        gpu_peak_bytes: Largest peak memory of a pass on a CUDA device; None without one.
    """

    step: str
    queue: str
    timed: int
    seconds: float
    retries: int
    quarantined: int
    gpu_peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class RunNumbers:
    """Metrics of one run at one time.

    Attributes:
        outcomes: Number of candidates by label, origin, verdict ("waiting" if none) and reason.
        batches: Number of batches by state.
    """

    run_id: int
    state: str
    outcomes: tuple[tuple[str, str, str, str, int], ...]
    batches: dict[str, int]
    steps: tuple[StepTotals, ...]
    spending: Spending

    @property
    def accepted(self) -> int:
        """Return the number of accepted candidates."""
        return sum(outcome[-1] for outcome in self.outcomes if outcome[2] == "accepted")

    @property
    def gpu_s(self) -> float:
        """Return the computing time of the models that use a GPU, in seconds."""
        return sum(step.seconds for step in self.steps if step.queue != LANGUAGE)


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """Number of steps in a queue, over all active runs.

    Attributes:
        waiting: Steps that no worker holds.
        running: Steps that a worker holds.
        oldest_s: Longest waiting time of such a step, in seconds; 0 if none waits.
    """

    waiting: int
    running: int
    oldest_s: float


def list_shown_runs(session: Session, limit: int) -> list[Run]:
    """Return the active runs, newest first, then the newest others; at most `limit`."""
    is_over = Run.state != RunState.ACTIVE
    return list(session.scalars(select(Run).order_by(is_over, Run.id.desc()).limit(limit)))


def count_run(session: Session, run: Run, steps: tuple[StepTotals, ...]) -> RunNumbers:
    """Return the metrics of a run; `steps` is a result of `count_steps`, which may be older."""
    counted = select(Batch.state, func.count()).where(Batch.run_id == run.id)
    batches = dict(iter(session.execute(counted.group_by(Batch.state))))
    outcomes = (
        (label, origin, verdict or "waiting", reason or "", made)
        for label, origin, verdict, reason, made in count_outcomes(session, run.id)
    )
    return RunNumbers(
        run.id,
        run.state,
        tuple(outcomes),
        {state.value: 0 for state in BatchState} | batches,
        steps,
        spending(session, run),
    )


def count_steps(session: Session, run_id: int) -> tuple[StepTotals, ...]:
    """Return the totals of each kind of step in the order of the chain; reads all items."""
    is_retried = Item.attempts > 1
    rows = session.execute(
        select(
            Step.name,
            Step.queue,
            func.count(Item.duration_s),
            func.sum(Item.duration_s),
            func.coalesce(func.sum(Item.attempts - 1).filter(is_retried), 0),
            func.count().filter(Item.state == ItemState.QUARANTINED),
            func.max(Item.gpu_peak_bytes),
        )
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id == run_id)
        .group_by(Step.name, Step.queue)
        .order_by(func.min(Step.position))
    )
    return tuple(
        StepTotals(step, queue, timed, seconds or 0.0, retries, quarantined, gpu_peak)
        for step, queue, timed, seconds, retries, quarantined, gpu_peak in rows
    )


def count_queues(session: Session) -> dict[str, QueueNumbers]:
    """Return the number of steps in each queue, from the rows of the batches in flight."""
    time = now(session)
    return {row.queue: _to_numbers(row, time) for row in session.execute(queue_totals())}


def queue_totals() -> Select[str, int, int, float]:
    """Return a query for the steps in each queue: the first unfinished one of each batch."""
    before = aliased(Step)
    is_waiting = Step.state == StepState.READY
    since = func.coalesce(before.finished_at, Batch.rung_at, Run.created_at)
    return (
        in_flight(
            Step.queue.label("queue"),
            func.count().filter(is_waiting).label("waiting"),
            func.count().filter(~is_waiting).label("running"),
            func.min(since).filter(is_waiting).label("oldest"),
        )
        .outerjoin(before, and_(before.batch_id == Batch.id, before.position == Step.position - 1))
        .where(Run.state == RunState.ACTIVE, IS_RELEASED)
        .group_by(Step.queue)
    )


def _to_numbers(row: Row[str, int, int, float], time: float) -> QueueNumbers:
    oldest_s = 0.0 if row.oldest is None else max(time - row.oldest, 0.0)
    return QueueNumbers(row.waiting, row.running, oldest_s)
