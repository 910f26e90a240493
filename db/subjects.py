"""Subjects of items: which label and candidate an item is about."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Item, Placement, Prompt, Scene
from chatgenimage.db.states import WHOLE_STEP


def locate_item(session: Session, item_id: int) -> tuple[str, str]:
    """Return the label of an item and the key of its candidate, or of its batch if it has none."""
    item = session.get_one(Item, item_id)
    batch = item.step.batch
    key = None if item.subject_id == WHOLE_STEP else _key_of(session, item)
    return batch.label.name, key or f"b{batch.index}"


def _key_of(session: Session, item: Item) -> str | None:
    """Return the key of the candidate that an item is about; None if it is about a batch."""
    subject_id = item.subject_id
    match item.step.name:
        case "brainstorm":
            return None
        case "generate":
            prompt = session.get(Prompt, subject_id)
            return None if prompt is None else f"b{item.step.batch.index}/g{prompt.index}"
        case "edit":
            query = select(Scene.candidate_id).where(Scene.id == subject_id)
        case "fill":
            query = select(Placement.candidate_id).where(Placement.id == subject_id)
        case _:
            query = select(Candidate.id).where(Candidate.id == subject_id)
    return session.scalar(select(Candidate.key).where(Candidate.id == query.scalar_subquery()))
