"""Identities of the models that made and labelled a run's images, as candidates have them.

Each is a mapping with the keys `family`, `checkpoint`, `revision` and more. A run keeps to the
weights that it began with, so its first candidates speak for all.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate
from chatgenimage.db.states import Origin


def list_painters(session: Session, run_id: int) -> list[dict[str, Any]]:
    """Return the identity of the model of a run's first candidate of each origin."""
    first = select(Candidate.model).where(Candidate.run_id == run_id).order_by(Candidate.id)
    found = (session.scalar(first.where(Candidate.origin == origin).limit(1)) for origin in Origin)
    return [model for model in found if model]


def list_labellers(session: Session, run_id: int) -> list[dict[str, Any]]:
    """Return the identities of the models that labelled a run's first labelled candidate."""
    first = select(Candidate.labelled_by).where(Candidate.run_id == run_id).order_by(Candidate.id)
    models = session.scalar(first.where(Candidate.labelled_by.is_not(None)).limit(1))
    return list(models.values()) if models else []
