"""The numbers that a monitoring system reads: counted from rows, so right whoever died."""

from dataclasses import dataclass

from sqlalchemy import Row, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.dispatching import in_flight
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.runs import count_outcomes
from chatgenimage.db.session import now
from chatgenimage.db.spending import Spending, spending
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState

LANGUAGE = "language"
"""The queue whose steps need no GPU."""


@dataclass(frozen=True, slots=True)
class StepTotals:
    """What the items of one kind of step came to, in one run.

    Attributes:
        timed: Items whose duration is known.
        seconds: Their sum.
        retries: Tries beyond the first.
        quarantined: Items that were given up.
        gpu_peak_bytes: Most that one of its passes took of a CUDA device; None without one.
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
    """A run's numbers at one moment.

    Attributes:
        outcomes: Label, origin, verdict ("waiting" if none) and reason, and how many candidates.
        batches: By state.
    """

    run_id: int
    state: str
    outcomes: tuple[tuple[str, str, str, str, int], ...]
    batches: dict[str, int]
    steps: tuple[StepTotals, ...]
    spending: Spending

    @property
    def accepted(self) -> int:
        """Return how many candidates are accepted."""
        return sum(outcome[-1] for outcome in self.outcomes if outcome[2] == "accepted")

    @property
    def gpu_s(self) -> float:
        """Return how long models that want a GPU have computed."""
        return sum(step.seconds for step in self.steps if step.queue != LANGUAGE)


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """Steps of a queue, of all runs that go on.

    Attributes:
        waiting: Those that nobody holds.
        running: Those that a worker holds.
        oldest_s: For how long the one that waits longest has waited; 0 if none does.
    """

    waiting: int
    running: int
    oldest_s: float


def list_shown_runs(session: Session, limit: int) -> list[Run]:
    """Return the runs that go on, newest first, then the newest of the others; at most `limit`."""
    is_over = Run.state != RunState.ACTIVE
    return list(session.scalars(select(Run).order_by(is_over, Run.id.desc()).limit(limit)))


def count_run(session: Session, run: Run, steps: tuple[StepTotals, ...]) -> RunNumbers:
    """Return the numbers of a run; `steps` is what `count_steps` returned, now or earlier."""
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
    """Return what the items of each kind of step came to; reads each item of the run."""
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
    )
    return tuple(
        StepTotals(step, queue, timed, seconds or 0.0, retries, quarantined, gpu_peak)
        for step, queue, timed, seconds, retries, quarantined, gpu_peak in rows
    )


def count_queues(session: Session) -> dict[str, QueueNumbers]:
    """Return how much stands in each queue, as the rows say; reads the batches in flight."""
    time = now(session)
    return {row.queue: _to_numbers(row, time) for row in session.execute(queue_totals())}


def queue_totals() -> Select[str, int, int, float]:
    """Return a query for the steps in each queue: of each batch in flight, the first not done."""
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
        .where(Run.state == RunState.ACTIVE)
        .group_by(Step.queue)
    )


def _to_numbers(row: Row[str, int, int, float], time: float) -> QueueNumbers:
    oldest_s = 0.0 if row.oldest is None else max(time - row.oldest, 0.0)
    return QueueNumbers(row.waiting, row.running, oldest_s)
