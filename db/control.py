"""Changes that people make to a run: pause, resume, cancel, and retry what was given up.

Each locks the run first, so that commands on the same run wait for each other and see what the
earlier one did. Of steps they lock only those that no worker holds.
"""

from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.notifications import add_notifications
from chatgenimage.db.preview import measure_held
from chatgenimage.db.states import WHOLE_STEP, BatchState, ItemState, RunEvent, RunState, StepState


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """What is left of a run that resumes.

    Attributes:
        waited: Steps that waited to be retried and may now start at once.
        running: Steps that a worker is running.
        batches_left: Batches that are not done.
        quarantined: Items that were given up; they stay given up.
        previewed: Batches that waited for the answer to the run's preview and may now continue.
    """

    waited: int
    running: int
    batches_left: int
    quarantined: int
    previewed: int = 0


def hold_run(session: Session, run_id: int) -> Run:
    """Lock a run until the transaction ends, and return it as it is now."""
    query = select(Run).where(Run.id == run_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def set_run_state(session: Session, run: Run, state: RunState) -> RunState:
    """Pause, resume or cancel a run; return the state that it now has.

    Waiting work reacts at once, a running step at the end of its pass. Finished work is kept.
    A run that is done or cancelled does not change. The unfinished batches of a cancelled run are
    cancelled, so the counts of what was done stay true.
    """
    hold_run(session, run.id)
    if run.state in (RunState.ACTIVE, RunState.PAUSED):
        run.state = state
        if state is RunState.ACTIVE:
            run.pause_reason = None
            release_held(session, run.id)
            _ring_again(session, run.id)
        elif state is RunState.CANCELLED:
            run.finished_at = now(session)
            _cancel_batches(session, run.id)
            add_notifications(session, run.id, RunEvent.CANCELLED)
    return RunState(run.state)


def resume(session: Session, run: Run) -> ResumedRun:
    """Make a run active now, paused or not: its steps no longer wait, and are queued again.

    Steps held by live workers stay with them; so do those that one claims or postpones now. A run
    that is done or cancelled does not change.
    """
    held = measure_held(session, run.id)
    set_run_state(session, run, RunState.ACTIVE)
    waited = session.scalars(
        update(Step)
        .where(Step.id.in_(_delayed(run.id)))
        .values(run_after=0.0)
        .returning(Step.id)
        .execution_options(synchronize_session=False)
    ).all()
    left = select(func.count()).where(Batch.run_id == run.id, Batch.state != BatchState.DONE)
    running = select(func.count()).where(
        Step.batch_id.in_(_batches_of(run.id)), Step.state == StepState.RUNNING
    )
    given_up = select(func.count()).where(Item.id.in_(_quarantined(run.id)))
    return ResumedRun(
        waited=len(waited),
        running=session.scalar(running) or 0,
        batches_left=session.scalar(left) or 0,
        quarantined=session.scalar(given_up) or 0,
        previewed=held.batches + held.first_batches,
    )


def release_held(session: Session, run_id: int) -> None:
    """Let everything start that waits for the answer to the preview of a run."""
    session.execute(
        update(Batch)
        .where(Batch.run_id == run_id, Batch.is_held.is_(True))
        .values(is_held=False)
        .execution_options(synchronize_session=False)
    )


def retry_quarantined(session: Session, run_id: int, step: str | None = None) -> int:
    """Reset the attempts of a run's quarantined items (of one kind of step); return how many.

    The later steps of their batches look for new work again, so a candidate that is made now is
    labelled and filtered like all others. A cancelled run does not change. A run that waits for the
    answer to its preview still does.
    """
    run = hold_run(session, run_id)
    if run.state == RunState.CANCELLED:
        return 0
    failed = _quarantined(run_id, step)
    for batch_id, position in session.execute(
        select(Step.batch_id, func.min(Step.position))
        .join(Item, Item.step_id == Step.id)
        .where(Item.id.in_(failed))
        .group_by(Step.batch_id)
    ).all():
        _reopen(session, batch_id, position)
    whole = session.scalars(
        delete(Item)
        .where(Item.id.in_(failed), Item.subject_id == WHOLE_STEP)
        .returning(Item.id)
        .execution_options(synchronize_session=False)
    ).all()
    retried = session.scalars(
        update(Item)
        .where(Item.id.in_(failed))
        .values(state=ItemState.READY, attempts=0, error=None)
        .returning(Item.id)
        .execution_options(synchronize_session=False)
    ).all()
    if whole or retried:
        run.state, run.pause_reason = RunState.ACTIVE, None
    return len(whole) + len(retried)


def _quarantined(run_id: int, step: str | None = None) -> Select[int]:
    found = (
        select(Item.id)
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id == run_id, Item.state == ItemState.QUARANTINED)
    )
    return found if step is None else found.where(Step.name == step)


def _delayed(run_id: int) -> Select[int]:
    """Return the query for steps that wait to be retried, locked; locked ones are left out."""
    return (
        select(Step.id)
        .where(Step.batch_id.in_(_batches_of(run_id)), Step.state == StepState.READY)
        .where(Step.run_after > 0.0)
        .with_for_update(skip_locked=True, key_share=True)
    )


def _batches_of(run_id: int) -> Select[int]:
    return select(Batch.id).where(Batch.run_id == run_id)


def _reopen(session: Session, batch_id: int, position: int) -> None:
    session.execute(
        update(Step)
        .where(Step.batch_id == batch_id, Step.position >= position)
        .where(Step.state == StepState.DONE)
        .values(state=StepState.READY, attempts=0, run_after=0.0)
        .execution_options(synchronize_session=False)
    )
    batch = session.get_one(Batch, batch_id)
    batch.state, batch.rung_at = BatchState.IN_FLIGHT, None


def _ring_again(session: Session, run_id: int) -> None:
    session.execute(
        update(Batch)
        .where(Batch.run_id == run_id, Batch.state == BatchState.IN_FLIGHT)
        .values(rung_at=None)
        .execution_options(synchronize_session=False)
    )


def _cancel_batches(session: Session, run_id: int) -> None:
    session.execute(
        update(Batch)
        .where(Batch.run_id == run_id, Batch.state != BatchState.DONE)
        .values(state=BatchState.CANCELLED)
        .execution_options(synchronize_session=False)
    )
