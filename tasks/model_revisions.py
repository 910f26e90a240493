"""Model revisions: a run keeps to the weights that it began with.

A profile names checkpoints; their files may be replaced while a run is interrupted. The images of
one run would then come from two models, so a worker with other weights leaves its steps alone.
"""

from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.model_identities import list_labellers, list_painters
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
    labelled = list_labellers(session, run_id)
    for recorded in (*list_painters(session, run_id), *labelled):
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
