"""Answers of a vision-language model, about a candidate."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import VisualAnswer


def list_answers(session: Session, candidate_id: int) -> Sequence[VisualAnswer]:
    """Return the answers about a candidate, by score and box."""
    return session.scalars(
        select(VisualAnswer)
        .where(VisualAnswer.candidate_id == candidate_id)
        .order_by(VisualAnswer.name, VisualAnswer.index)
    ).all()
