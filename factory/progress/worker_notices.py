"""Notices about a run: its preview or pause, models that are loading, queues without a worker."""

from sqlalchemy.orm import Session

from chatgenimage.db.heartbeats import Service, find_service
from chatgenimage.db.models import Run
from chatgenimage.db.preview import HeldWork, count_unjudged, measure_held
from chatgenimage.db.spending import spent_budget_of
from chatgenimage.db.states import RunState
from chatgenimage.factory.commands import spell
from chatgenimage.factory.settings.model import DEFAULT_PROFILE
from chatgenimage.factory.settings.profiles import name_profile
from chatgenimage.factory.submission.budgets import budget_advice
from chatgenimage.factory.wording import counted
from chatgenimage.tasks.chain import plan_chain
from chatgenimage.tasks.options import run_options

EVERY_ROLE = "all"


def list_notices(session: Session, run: Run, *, starts_workers: bool = False) -> tuple[str, ...]:
    """Return what a person must know about a run and its workers, a line each.

    Args:
        session: To read with.
        run: Which run.
        starts_workers: Whether this command starts the workers itself.
    """
    return (*list_stops(session, run), *_describe_workers(session, run, starts_workers))


def list_stops(session: Session, run: Run) -> tuple[str, ...]:
    """Return why a run does not continue by itself, and the command that continues it."""
    held = measure_held(session, run.id)
    if run.state not in {RunState.ACTIVE, RunState.PAUSED} or not held.is_any:
        return _describe_pause(run)
    if not (unjudged := count_unjudged(session, run.id)):
        return (*(_describe_pause(run) if run.pause_reason else ()), _describe_preview(run, held))
    labels = counted(unjudged, "label")
    waits = f"preview: first images of {labels} are not judged yet; the rest waits for an answer"
    if run.state == RunState.ACTIVE:
        return (waits,)
    everything = f"`{_spell_resume(run)}` makes everything without asking"
    again = f"the same command with --preview continues the preview, and {everything}"
    return (waits, f"paused: {_pause_in_words(run)}; {again}")


def _describe_preview(run: Run, held: HeldWork) -> str:
    yes, no = _spell_resume(run), spell("cancel", run.id)
    return (
        f"the preview is ready and waits for an answer: `{yes}` makes {held_in_words(held)}; "
        f"`{no}` gives the run up"
    )


def _describe_pause(run: Run) -> tuple[str, ...]:
    if run.state != RunState.PAUSED:
        return ()
    if spent := spent_budget_of(run):
        return (f"paused: {spent}. {budget_advice(run)}",)
    return (f"paused: {_pause_in_words(run)}; resume it with: `{_spell_resume(run)}`",)


def _spell_resume(run: Run) -> str:
    """Return the command that resumes a run; it needs a profile with the models of the run."""
    profile = run.profile["profile"]
    return spell("resume", run.id, *(() if profile == DEFAULT_PROFILE else name_profile(profile)))


def _pause_in_words(run: Run) -> str:
    return run.pause_reason or "a person paused it"


def held_in_words(held: HeldWork) -> str:
    """Return what waits for the answer to a preview, e.g. "edits and fills"."""
    more = "1 more first image" if held.images == 1 else f"{held.images} more first images"
    parts = [*(["edits and fills"] if held.first_batches else []), *([more] if held.images else [])]
    return ", and ".join(parts)


def _describe_workers(session: Session, run: Run, starts_workers: bool) -> tuple[str, ...]:  # noqa: FBT001
    steps = plan_chain(run_options(run).chain, run.mode)
    queues = tuple(dict.fromkeys(step.queue for step in steps))
    service = find_service(session, run, queues)
    if service.unserved and starts_workers:
        return ("starting the worker processes",)
    lines = (_describe_unserved(service, run), _describe_loading(service))
    return tuple(line for line in lines if line)


def _describe_unserved(service: Service, run: Run) -> str:
    if not service.unserved:
        return ""
    is_any = service.loading or service.ready
    role = ",".join(service.unserved) if is_any else EVERY_ROLE
    start = spell("worker", role, *name_profile(run.profile["profile"]))
    names = ", ".join(f"`{queue}`" for queue in service.unserved)
    return f"no worker serves {names}; start `{start}`"


def _describe_loading(service: Service) -> str:
    if not service.loading:
        return ""
    if not service.ready:
        return "loading models"
    return f"loading models ({service.loading} of {service.loading + service.ready} workers)"
