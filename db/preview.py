"""Preview of a run: its first images, while its other batches are held."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Step
from chatgenimage.db.states import BatchState, StepState

LAST_STEP = "filter"
"""Step that ends round 0: its images are judged."""


def count_held(session: Session, run_id: int) -> tuple[int, int]:
    """Return how many batches of a run are held, and how many images they generate."""
    query = select(func.count(Batch.id), func.coalesce(func.sum(Batch.size), 0))
    count, images = session.execute(
        query.where(Batch.run_id == run_id, Batch.is_held.is_(True))
    ).one()
    return count, images


def is_previewed(session: Session, run_id: int) -> bool:
    """Return whether the first images of all batches that are not held are judged."""
    judged = select(Step.id).where(
        Step.batch_id == Batch.id,
        Step.name == LAST_STEP,
        Step.round == 0,
        Step.state == StepState.DONE,
    )
    still_open = select(func.count(Batch.id)).where(
        Batch.run_id == run_id,
        Batch.is_held.is_(False),
        Batch.state.in_((BatchState.WAITING, BatchState.IN_FLIGHT)),
        ~judged.exists(),
    )
    return not session.scalar(still_open)


def list_first_images(session: Session, run_id: int, limit: int) -> list[int]:
    """Return the ids of the candidates of round 0, in order of label and key."""
    query = select(Candidate.id).where(Candidate.run_id == run_id, Candidate.round == 0)
    ordered = query.order_by(Candidate.label_id, Candidate.key).limit(limit)
    return list(session.scalars(ordered))
