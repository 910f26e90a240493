"""Reasons why a message found nothing to do, in words for Flower and the events."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.models import Batch, Run, Step
from chatgenimage.db.states import RunState, StepState


def explain_refusal(session: Session, batch_id: int, name: str, models_key: str | None) -> str:
    """Return why no step of a batch could be claimed a moment ago.

    Args:
        session: To read with.
        batch_id: The batch of the message.
        name: The step of the message.
        models_key: The models that the worker has; None: any.
    """
    run = _find_run(session, batch_id)
    if run is None:
        return "there is no such batch"
    if stop := _describe_stop(run):
        return stop
    if models_key is not None and models_key != run.models_key:
        return "the run needs other models"
    return _explain_step(session, batch_id, name)


def explain_stop(session: Session, batch_id: int) -> str | None:
    """Return that the run of a batch is paused or over, and why; None: it is active."""
    run = _find_run(session, batch_id)
    return _describe_stop(run) if run else None


def _find_run(session: Session, batch_id: int) -> Run | None:
    found = select(Run).join(Batch, Batch.run_id == Run.id).where(Batch.id == batch_id)
    return session.scalar(found)


def _describe_stop(run: Run) -> str | None:
    if run.state == RunState.ACTIVE:
        return None
    why = (run.pause_reason or "").partition(": ")[0]  # what follows is the server's answer
    return f"the run is {run.state}: {why}" if why else f"the run is {run.state}"


def _explain_step(session: Session, batch_id: int, name: str) -> str:
    """Return why a worker gets nothing to do of a batch at the step of a message."""
    step = session.scalar(
        select(Step)
        .where(Step.batch_id == batch_id, Step.state != StepState.DONE)
        .order_by(Step.position)
        .limit(1)
    )
    if step is None:
        return "the batch is done"
    if step.name != name:
        return f"the batch is at the step {step.name}"
    if step.round > 0 and session.get_one(Batch, batch_id).is_held:
        return "the run waits for the answer to its preview"
    if step.state == StepState.RUNNING:
        return "another worker has the step"
    is_delayed = step.run_after > now(session)
    return "the step waits for another try" if is_delayed else "the step was just given back"
