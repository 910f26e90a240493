"""Going on with a run that was interrupted: what is checked, freed and told."""

from sqlalchemy.orm import Session

from chatgenimage.db import control, delivery
from chatgenimage.db.control import Resumption
from chatgenimage.db.models import Run
from chatgenimage.db.runs import get_run
from chatgenimage.db.states import RunState
from chatgenimage.factory.errors import NotResumable
from chatgenimage.factory.processes.worker_identity import is_dead
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import dump_profile, models_key


def resume_run(session: Session, run_id: int | None, settings: Settings) -> tuple[int, Resumption]:
    """Free what dead workers held and let the run go on; return its number and what was found.

    Args:
        session: An open transaction.
        run_id: None: the latest run.
        settings: Of the worker that is to go on with it.

    Raises:
        RowNotFound: If there is no such run.
        NotResumable: If it is over, or asks for other models than these settings have.
    """
    run = get_run(session, run_id)
    _refuse(run, settings)
    delivery.release_expired(session, [o for o in delivery.list_owners(session) if is_dead(o)])
    return run.id, control.resume(session, run)


def tell(run_id: int, found: Resumption) -> str:
    """Return what a person should know of a run that goes on."""
    parts = [f"Run {run_id} goes on: {found.batches_left} batches are not done"]
    if found.waited:
        parts.append(f"{found.waited} steps need not wait any longer")
    if found.running:
        parts.append(f"{found.running} steps are in the hands of a worker")
    if found.quarantined:
        parts.append(f"{found.quarantined} items stay given up (factory retry {run_id})")
    return "; ".join(parts)


def _refuse(run: Run, settings: Settings) -> None:
    if run.state == RunState.CANCELLED:
        raise NotResumable(f"run {run.id} was cancelled, for good. Submit its labels again.")
    if run.state == RunState.DONE:
        raise NotResumable(
            f"run {run.id} is done; see `factory status {run.id}`. What was given up gets another "
            f"try by `factory retry {run.id}`."
        )
    if run.models_key != models_key(dump_profile(settings)):
        raise NotResumable(
            f"run {run.id} asks for the models of profile {run.profile['profile']!r}, and "
            f"{settings.profile!r} has others. Name its profile: --profile, as it was then."
        )
