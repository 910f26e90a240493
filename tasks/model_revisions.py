"""Model revisions: a run keeps to the weights that it began with.

A profile names checkpoints; their files may be replaced while a run is interrupted. The images of
one run would then come from two models, so a worker with other weights leaves its steps alone.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate
from chatgenimage.db.states import Origin
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers.interfaces import LanguageModel
from chatgenimage.workers.values import ModelIdentity


def find_changed_weights(session: Session, run_id: int, resources: Resources) -> str | None:
    """Return what differs between a worker's weights and those of a run's images, or None.

    Two workers that begin a run at the same moment with different weights find nothing yet.

    Args:
        session: Reads the run's first candidates.
        run_id: Which run; once its images were labelled, it is verified once per process.
        resources: The worker's models; compared by family, checkpoint and revision.
    """
    models = [each.identity for each in resources.families if not isinstance(each, LanguageModel)]
    if not models or run_id in resources.verified_runs:
        return None
    labelled = _find_labellers(session, run_id)
    for recorded in (*_list_painters(session, run_id), *labelled):
        for here in models:
            is_same_model = (here.family, here.checkpoint) == (
                recorded.get("family"),
                recorded.get("checkpoint"),
            )
            if is_same_model and here.revision != recorded.get("revision"):
                return _describe(here, recorded)
    if labelled:
        resources.verified_runs.add(run_id)
    return None


def _describe(here: ModelIdentity, recorded: dict[str, Any]) -> str:
    return (
        f"the weights of {here.family} ({here.checkpoint}) were replaced: this run began with "
        f"revision {recorded.get('revision')}, this worker has {here.revision}. Put the earlier "
        "files back and start the worker again, or cancel the run and submit it anew"
    )


def _list_painters(session: Session, run_id: int) -> Iterator[dict[str, Any]]:
    """Yield the identity of the model of the first candidate of each origin."""
    first = select(Candidate.model).where(Candidate.run_id == run_id).order_by(Candidate.id)
    for origin in Origin:
        if model := session.scalar(first.where(Candidate.origin == origin).limit(1)):
            yield model


def _find_labellers(session: Session, run_id: int) -> list[dict[str, Any]]:
    """Return the identities of the models that labelled the first labelled candidate."""
    first = select(Candidate.labelled_by).where(Candidate.run_id == run_id).order_by(Candidate.id)
    models = session.scalar(first.where(Candidate.labelled_by.is_not(None)).limit(1))
    return list(models.values()) if models else []
