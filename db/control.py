"""What people do to a run: pause it, let it go on, cancel it, give what failed another try."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.models import Batch, Item, Run, Step
from db.states import BatchState, ItemState, RunState, StepState


def set_run_state(session: Session, run: Run, state: RunState) -> RunState:
    """Pause, continue or cancel a run; return the state it has now.

    Waiting work follows at once, a running step at the end of its pass; what was made stays. A
    run that is done or cancelled stays so.
    """
    if run.state in (RunState.ACTIVE, RunState.PAUSED):
        run.state = state
        if state is RunState.ACTIVE:
            _ring_again(session, run.id)
    return RunState(run.state)


def retry_quarantined(session: Session, run_id: int) -> int:
    """Give every quarantined item of a run fresh attempts; return how many.

    The later steps of their batches look again for new work: a candidate that is made now is
    labelled and judged as if it had been made at first.
    """
    failed = session.execute(
        select(Item.id, Step.batch_id, Step.position)
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id == run_id, Item.state == ItemState.QUARANTINED)
    ).all()
    first_failed: dict[int, int] = {}
    for _, batch_id, position in failed:
        first_failed[batch_id] = min(position, first_failed.get(batch_id, position))
    for batch_id, position in first_failed.items():
        _reopen(session, batch_id, position)
    session.execute(
        update(Item)
        .where(Item.id.in_([item_id for item_id, _, _ in failed]))
        .values(state=ItemState.READY, attempts=0, error=None)
        .execution_options(synchronize_session=False)
    )
    if failed:
        session.get_one(Run, run_id).state = RunState.ACTIVE
    return len(failed)


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
