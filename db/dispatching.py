"""Which batches should be rung for: admission by priority, the window, and the sweep."""

from collections.abc import Callable, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db import delivery
from db.models import Batch, Run, Step
from db.session import now
from db.states import BatchState, RunState, StepState

PlanSteps = Callable[[Batch], Sequence[Step]]


def sweep(session: Session, *, stale_s: float, dead_owners: Sequence[str] = ()) -> int:
    """Mark what nobody works on and nobody was rung for lately; return how many batches."""
    released = delivery.release_expired(session, dead_owners)
    running = select(Step.batch_id).where(Step.state == StepState.RUNNING)
    stale = session.scalars(
        update(Batch)
        .where(Batch.state == BatchState.IN_FLIGHT, Batch.rung_at < now(session) - stale_s)
        .where(Batch.id.not_in(running))
        .values(rung_at=None)
        .returning(Batch.id)
        .execution_options(synchronize_session=False)
    ).all()
    return released + len(stale)


def admit(
    session: Session, *, window: int, plan_steps: PlanSteps, models_key: str | None = None
) -> int:
    """Put waiting batches in flight while the window has room; return how many.

    What a paused run has in flight takes no room: it would keep the others waiting. Runs that ask
    for other models than `models_key` are left to workers that have them.
    """
    in_flight = (
        select(func.count())
        .select_from(Batch)
        .join(Run, Run.id == Batch.run_id)
        .where(Batch.state == BatchState.IN_FLIGHT, delivery.is_workable(models_key))
    )
    room = window - (session.scalar(in_flight) or 0)
    if room <= 0:
        return 0
    batches = session.scalars(
        select(Batch)
        .join(Run, Run.id == Batch.run_id)
        .where(Batch.state == BatchState.WAITING, delivery.is_workable(models_key))
        .order_by(Run.priority.desc(), Batch.priority.desc(), Batch.index, Batch.id)
        .limit(room)
        .with_for_update(skip_locked=True, of=Batch)
    ).all()
    for batch in batches:
        batch.state, batch.rung_at = BatchState.IN_FLIGHT, None
        session.add_all(plan_steps(batch))
    return len(batches)


def take_due(session: Session, models_key: str | None = None) -> list[tuple[int, list[str]]]:
    """Return the batches to ring for, each with the names of its unfinished steps.

    Whoever takes them must ring after the commit; a ring that is lost is repeated by the sweep.
    """
    time = now(session)
    batches = session.scalars(
        select(Batch)
        .join(Run, Run.id == Batch.run_id)
        .where(Batch.state == BatchState.IN_FLIGHT, Batch.rung_at.is_(None))
        .where(delivery.is_workable(models_key))
        .order_by(Run.priority.desc(), Batch.priority.desc(), Batch.id)
        .with_for_update(skip_locked=True, of=Batch)
    ).all()
    due = []
    for batch in batches:
        step = delivery.current_step(session, batch.id)
        if step is not None and step.run_after <= time:
            batch.rung_at = time
            due.append((batch.id, _names_left(session, batch.id)))
    return due


def close_runs(session: Session) -> list[int]:
    """End the batches of cancelled runs and the runs that have no batch left; return the runs."""
    cancelled = select(Run.id).where(Run.state == RunState.CANCELLED)
    session.execute(
        update(Batch)
        .where(Batch.run_id.in_(cancelled), Batch.state != BatchState.DONE)
        .values(state=BatchState.DONE)
        .execution_options(synchronize_session=False)
    )
    unfinished = select(Batch.run_id).where(Batch.state != BatchState.DONE)
    done = session.scalars(
        update(Run)
        .where(Run.state == RunState.ACTIVE, Run.id.not_in(unfinished))
        .values(state=RunState.DONE, finished_at=now(session))
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return list(done)


def _names_left(session: Session, batch_id: int) -> list[str]:
    return list(
        session.scalars(
            select(Step.name)
            .where(Step.batch_id == batch_id, Step.state != StepState.DONE)
            .order_by(Step.position)
        )
    )
