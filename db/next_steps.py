"""Query for the step that a worker will probably get next."""

from sqlalchemy import bindparam
from sqlalchemy.orm import Session, joinedload

from chatgenimage.db.delivery_statements import IS_WORKABLE
from chatgenimage.db.dispatching import in_flight
from chatgenimage.db.models import Batch, Step
from chatgenimage.db.states import StepState

NEXT_STEP = (
    in_flight(Step)
    .where(Batch.rung_at.is_not(None), IS_WORKABLE)
    .where(Step.name == bindparam("called"), Step.state == StepState.READY, Step.attempts == 0)
    .order_by(Batch.rung_at, Batch.id)
    .limit(1)
    .options(joinedload(Step.batch).options(joinedload(Batch.run), joinedload(Batch.label)))
)


def find_next_step(session: Session, name: str, models_key: str | None = None) -> Step | None:
    """Return the unclaimed step of this name whose message is the oldest; None if there is none.

    Args:
        session: Open for reading.
        name: Name of the step.
        models_key: The models that the worker has; None finds steps of any run.
    """
    asked = {"called": name, "their_models": models_key}
    return session.scalars(NEXT_STEP, asked).one_or_none()
