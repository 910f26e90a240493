"""Which runs have nothing left to do, and how they end."""

from dataclasses import dataclass

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Run
from chatgenimage.db.notifications import add_notifications
from chatgenimage.db.session import now
from chatgenimage.db.states import BatchState, RunEvent, RunState

_is_open = (
    select(Batch.id)
    .where(Batch.run_id == Run.id, Batch.state.in_((BatchState.WAITING, BatchState.IN_FLIGHT)))
    .exists()
)
_is_finished = and_(Run.state == RunState.ACTIVE, ~_is_open)
# Built once, as the statements of db/delivery.py: each tick of a dispatcher asks.
FINISHED = select(Run.id).where(_is_finished).order_by(Run.id)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has made; if it is still the same, nobody worked on it meanwhile."""

    judged: int
    batches: int


def list_finished(session: Session) -> list[int]:
    """Return the active runs that have no batch left."""
    return list(session.connection().scalars(FINISHED))


def list_active(session: Session) -> list[int]:
    """Return the runs that are neither paused nor ended."""
    return list(session.scalars(select(Run.id).where(Run.state == RunState.ACTIVE)))


def hold_active(session: Session, run_id: int) -> Run | None:
    """Return a run if it is active still, locked: who ends it or adds to it waits."""
    query = select(Run).where(Run.id == run_id, Run.state == RunState.ACTIVE)
    return session.scalar(query.with_for_update())


def hold_finished(session: Session, run_id: int, seen: Progress) -> bool:
    """Keep all others from a run, if it is still active, without a batch left, and as it was seen.

    Others wait until the transaction ends, and then find another state or another progress.
    """
    held = session.scalar(
        update(Run)
        .where(Run.id == run_id, _is_finished)
        .values(state=RunState.ACTIVE)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return held is not None and measure_progress(session, run_id) == seen


def end_run(session: Session, run_id: int) -> None:
    """Say that a run is done; call after `hold_finished`."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(state=RunState.DONE, finished_at=now(session))
        .execution_options(synchronize_session=False)
    )
    add_notifications(session, run_id, RunEvent.DONE)


def measure_progress(session: Session, run_id: int) -> Progress:
    """Return what a run has made."""
    judged = (Candidate.run_id == run_id, Candidate.verdict.is_not(None))
    return Progress(
        session.scalar(select(func.count()).where(*judged)) or 0,
        session.scalar(select(func.count()).where(Batch.run_id == run_id)) or 0,
    )
