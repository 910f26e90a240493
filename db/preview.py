"""Preview of a run: its first images, while everything else waits for a person's answer."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Step
from chatgenimage.db.states import BatchState, StepState

LAST_STEP = "filter"
"""Step that ends round 0: its images are judged."""
_is_open = Batch.state.in_((BatchState.WAITING, BatchState.IN_FLIGHT))
_shows_first_image = or_(Batch.is_held.is_(False), Batch.index == 0)
"""Condition: the first images of a batch belong to the preview of its run."""


@dataclass(frozen=True, slots=True)
class HeldWork:
    """The work of a run that waits for the answer to its preview.

    Attributes:
        batches: Batches that may not begin yet.
        images: Images that they generate.
        first_batches: Batches of the first images, whose edits and fills may not begin yet.
    """

    batches: int
    images: int
    first_batches: int

    @property
    def is_any(self) -> bool:
        """Return whether anything waits."""
        return self.batches + self.first_batches > 0


def measure_held(session: Session, run_id: int) -> HeldWork:
    """Return what of a run waits for the answer to its preview; zeros if nothing does."""
    is_first = Batch.index == 0
    counted = select(
        func.count(Batch.id).filter(~is_first),
        func.coalesce(func.sum(Batch.size).filter(~is_first), 0),
        func.count(Batch.id).filter(is_first),
    ).where(Batch.run_id == run_id, Batch.is_held.is_(True), _is_open)
    return HeldWork(*session.execute(counted).one())


def is_previewed(session: Session, run_id: int) -> bool:
    """Return whether the first images of a run are judged."""
    return not count_unjudged(session, run_id)


def count_unjudged(session: Session, run_id: int) -> int:
    """Return how many batches of the preview have first images that are not judged yet."""
    still_open = select(func.count(Batch.id)).where(
        Batch.run_id == run_id, _shows_first_image, _is_open, ~_are_first_images_judged()
    )
    return session.scalar(still_open) or 0


def list_first_images(session: Session, run_id: int, limit: int) -> list[int]:
    """Return the ids of the candidates of round 0, in order of label and key."""
    query = select(Candidate.id).where(Candidate.run_id == run_id, Candidate.round == 0)
    ordered = query.order_by(Candidate.label_id, Candidate.key).limit(limit)
    return list(session.scalars(ordered))


def _are_first_images_judged() -> ColumnElement[bool]:
    judged = select(Step.id).where(
        Step.batch_id == Batch.id,
        Step.name == LAST_STEP,
        Step.round == 0,
        Step.state == StepState.DONE,
    )
    return judged.exists()
