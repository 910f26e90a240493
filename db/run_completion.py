"""Completion of runs: find runs without open work, and end them."""

from dataclasses import dataclass

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.models import Batch, Candidate, Run
from chatgenimage.db.notifications import add_notifications
from chatgenimage.db.states import BatchState, RunEvent, RunState

_is_open = (
    select(Batch.id)
    .where(Batch.run_id == Run.id, Batch.state.in_((BatchState.WAITING, BatchState.IN_FLIGHT)))
    .exists()
)
_is_finished = and_(Run.state == RunState.ACTIVE, ~_is_open)
# Built once, like the statements of db/delivery.py: they run at each tick of a dispatcher.
FINISHED = select(Run.id).where(_is_finished).order_by(Run.id)


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Counts of a run's results; if they are equal later, no work happened in between."""

    judged: int
    batches: int


def list_finished(session: Session) -> list[int]:
    """Return the active runs without open batches."""
    return list(session.connection().scalars(FINISHED))


def list_active(session: Session) -> list[int]:
    """Return the runs that are not paused, done or cancelled, oldest first."""
    active = select(Run.id).where(Run.state == RunState.ACTIVE)
    return list(session.scalars(active.order_by(Run.id)))


def hold_active(session: Session, run_id: int) -> Run | None:
    """Return a run, locked, if it is still active: others that end or extend it must wait."""
    query = select(Run).where(Run.id == run_id, Run.state == RunState.ACTIVE)
    return session.scalar(query.with_for_update(key_share=True))


def hold_finished(session: Session, run_id: int, seen: RunTotals) -> bool:
    """Lock a run if it is still active, has no open batch, and its progress equals `seen`.

    Others wait until the transaction ends, and then find another state or other counts. The batches
    are counted after the run is locked: a `factory retry` that it waited for may have opened some.
    """
    if hold_active(session, run_id) is None:
        return False
    is_finished = session.scalar(select(Run.id).where(Run.id == run_id, _is_finished)) is not None
    return is_finished and measure_progress(session, run_id) == seen


def end_run(session: Session, run_id: int) -> None:
    """Mark a run as done; call after `hold_finished`."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(state=RunState.DONE, finished_at=now(session))
        .execution_options(synchronize_session=False)
    )
    add_notifications(session, run_id, RunEvent.DONE)


def measure_progress(session: Session, run_id: int) -> RunTotals:
    """Return the counts of a run's results."""
    judged = (Candidate.run_id == run_id, Candidate.verdict.is_not(None))
    return RunTotals(
        session.scalar(select(func.count()).where(*judged)) or 0,
        session.scalar(select(func.count()).where(Batch.run_id == run_id)) or 0,
    )
