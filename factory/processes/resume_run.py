"""Resume a run: check that it can be, free what dead workers hold, and report what is left."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from chatgenimage.db import control, delivery
from chatgenimage.db.control import ResumedRun
from chatgenimage.db.models import Run
from chatgenimage.db.runs import get_run
from chatgenimage.db.states import RunState
from chatgenimage.factory.commands import spell
from chatgenimage.factory.errors import NotResumable
from chatgenimage.factory.processes.worker_identity import is_dead
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import dump_profile, models_key
from chatgenimage.factory.submission.budgets import (
    NO_LIMITS,
    SpendingLimits,
    allow,
    refuse_without_prices,
)


def resume_run(
    session: Session, run_id: int | None, settings: Settings, limits: SpendingLimits = NO_LIMITS
) -> tuple[int, ResumedRun]:
    """Free what dead workers hold and make the run active; return its number and what is left.

    Args:
        session: An open transaction.
        run_id: None: the latest run.
        settings: Of the worker that is to work on it.
        limits: What the language model may use from now on; not given: as before.

    Raises:
        RowNotFound: If there is no such run.
        NotResumable: If it is over, or asks for other models than these settings have.
        BudgetSpent: If it has spent its budget.
        SettingsError: If a first limit of money is given and no model has a price.
    """
    run = control.hold_run(session, get_run(session, run_id).id)
    _refuse(run, settings)
    if run.budget is None:
        refuse_without_prices(settings, limits)
    allow(run, limits)
    delivery.release_expired(session, [o for o in delivery.list_owners(session) if is_dead(o)])
    return run.id, control.resume(session, run)


def describe_resumed(run_id: int, found: ResumedRun) -> str:
    """Return in one line what is left of a run that resumes."""
    not_done = "1 batch is" if found.batches_left == 1 else f"{found.batches_left} batches are"
    parts = [f"Run {run_id} resumes: {not_done} not done"]
    if found.previewed:
        parts.append(f"{found.previewed} of them waited for the answer to its preview")
    if found.waited:
        steps = "1 step does" if found.waited == 1 else f"{found.waited} steps do"
        parts.append(f"{steps} not wait any longer to be tried again")
    if found.running:
        steps = "1 step is" if found.running == 1 else f"{found.running} steps are"
        parts.append(f"{steps} held by a worker")
    if found.quarantined:
        parts.append(f"{found.quarantined} items stay given up ({spell('retry', run_id)})")
    return "; ".join(parts)


def _refuse(run: Run, settings: Settings) -> None:
    """Refuse a run that is over, or that this installation and profile cannot continue.

    Raises:
        NotResumable: If it is such a run.
    """
    if run.state == RunState.CANCELLED:
        raise NotResumable(
            f"run {run.id} is cancelled and cannot be resumed. Submit its labels again."
        )
    if run.state == RunState.DONE:
        raise NotResumable(
            f"run {run.id} is done; see `factory status {run.id}`. `factory retry {run.id}` tries "
            "again what was given up."
        )
    recorded, here = (each.get("plugins", {}) for each in (run.profile, dump_profile(settings)))
    if recorded != here:
        raise NotResumable(
            f"run {run.id} was submitted with the plug-ins {_in_words(recorded)}, and here are "
            f"{_in_words(here)}. Install the same packages and versions."
        )
    if run.models_key != models_key(settings):
        raise NotResumable(
            f"run {run.id} asks for the models of profile {run.profile['profile']!r}, and "
            f"{settings.profile!r} has others. Name the profile of the run with --profile."
        )


def _in_words(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items()) or "none"
