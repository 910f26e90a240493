"""Waits: what keeps a run from making progress, in words."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.delivery_statements import IS_RELEASED
from chatgenimage.db.dispatching import MAY_BEGIN, TURN, in_flight
from chatgenimage.db.error_messages import reason_of
from chatgenimage.db.models import Batch, Run, Step
from chatgenimage.db.preview import measure_held
from chatgenimage.db.states import BatchState, RunState, StepState

HOLDER = text(
    "SELECT pid, coalesce(application_name, ''), coalesce(host(client_addr), 'socket'), "
    "extract(epoch FROM clock_timestamp() - xact_start) "
    "FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :turn"
)


def list_waits(session: Session, run_id: int, longer_s: float) -> list[str]:
    """Return what an active run waits for; empty if it made progress in the last `longer_s` s.

    Progress is a step that was started or finished, or that a worker holds.
    """
    run = session.get_one(Run, run_id)
    time = now(session)
    if run.state != RunState.ACTIVE or time - _last_progress(session, run) < longer_s:
        return []
    held = in_flight(Step.id).where(Run.id == run_id, Step.state == StepState.RUNNING)
    if session.scalar(held.limit(1)) is not None:
        return []
    return (
        list(_reasons(session, run_id, time))
        or list(_not_started(session, run_id))
        or list(_held(session, run_id))
    )


def count_current_steps(session: Session, run_id: int) -> dict[str, int]:
    """Return how many batches in flight are at which step, in the order of the chain."""
    query = in_flight(Step.name, func.count()).where(Run.id == run_id).group_by(Step.name)
    return dict(iter(session.execute(query.order_by(func.min(Step.position)))))


def find_turn_holder(session: Session) -> str | None:
    """Return which connection to PostgreSQL holds the dispatchers' turn; None if none does."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    found = session.execute(HOLDER, {"turn": TURN}).first()
    if found is None:
        return None
    pid, name, address, held_s = found
    return f"server process {pid} ({name or 'no name'}, from {address}) for {held_s:.0f} s"


def _last_progress(session: Session, run: Run) -> float:
    latest = session.execute(
        select(func.max(Step.started_at), func.max(Step.finished_at))
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id == run.id)
    ).one()
    return max(run.created_at, *(moment or 0.0 for moment in latest))


def _reasons(session: Session, run_id: int, time: float) -> Iterator[str]:
    """Yield why batches in flight wait, the most frequent reason first."""
    query = in_flight(
        Step.name,
        Step.queue,
        Step.error,
        Step.run_after > time,
        Batch.rung_at.is_not(None),
    ).where(Run.id == run_id, IS_RELEASED)
    counts = Counter(_reason(*row) for row in session.execute(query.order_by(Batch.id)))
    for reason, count in counts.most_common():
        yield f"{count} {'batch' if count == 1 else 'batches'}: {reason}"


def _reason(
    step: str,
    queue: str,
    error: str | None,
    is_delayed: bool,  # noqa: FBT001
    is_sent: bool,  # noqa: FBT001
) -> str:
    """Return why a batch waits."""
    if is_delayed:
        return f"the step {step} waits for another try after: {reason_of(error or '')}"
    if is_sent:
        return f"no worker takes messages from the queue {queue}"
    return f"no dispatcher sends a message for the step {step}"


def _not_started(session: Session, run_id: int) -> Iterator[str]:
    waiting = select(func.count()).where(Batch.run_id == run_id, Batch.state == BatchState.WAITING)
    if count := session.scalar(waiting.where(MAY_BEGIN)):
        noun = "batch has" if count == 1 else "batches have"
        yield f"{count} {noun} not started: no dispatcher for the models of this run"


def _held(session: Session, run_id: int) -> Iterator[str]:
    held = measure_held(session, run_id)
    if count := held.batches + held.first_batches:
        noun = "batch waits" if count == 1 else "batches wait"
        yield f"{count} {noun} for the answer to the preview of this run"
