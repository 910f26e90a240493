"""Which runs have nothing left to do, and how they end."""

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from db.models import Batch, Candidate, Run
from db.session import now
from db.states import BatchState, RunState


def list_finished(session: Session) -> list[int]:
    """Return the active runs that have no batch left."""
    return list(session.scalars(select(Run.id).where(*_is_finished()).order_by(Run.id)))


def close_run(session: Session, run_id: int) -> bool:
    """End a run if it is active and has no batch left; return whether it was."""
    done = session.scalar(
        update(Run)
        .where(Run.id == run_id, *_is_finished())
        .values(state=RunState.DONE, finished_at=now(session))
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return done is not None


def count_judged(session: Session, run_id: int) -> int:
    """Return how many candidates of a run have a verdict."""
    judged = (Candidate.run_id == run_id, Candidate.verdict.is_not(None))
    return session.scalar(select(func.count()).where(*judged)) or 0


def _is_finished() -> tuple[ColumnElement[bool], ...]:
    open_states = (BatchState.WAITING, BatchState.IN_FLIGHT)
    is_open = select(Batch.id).where(Batch.run_id == Run.id, Batch.state.in_(open_states)).exists()
    return Run.state == RunState.ACTIVE, ~is_open
