"""Preview of `factory run`: one image of each label, then the question if the rest is wanted."""

import sys

import typer

from chatgenimage.db.preview import HeldWork, measure_held
from chatgenimage.db.session import connect, reading
from chatgenimage.factory.cli.common import StoreOptions, end_stopped, stderr
from chatgenimage.factory.commands import spell
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.wording import counted

MOST_SHOWN = 120
"""Images on the contact sheet; the gallery has all."""


def preview_here(
    settings: Settings, run_id: int, place: StoreOptions, workers: int | None, *, is_sure: bool
) -> None:
    """Make and show the first images of a run; return if the rest is wanted.

    Ends the command if it is not, or if there is no terminal to ask on: the run is paused then.
    If the run waits for no answer (any more), there is no question.

    Args:
        settings: Of the run.
        run_id: Its number; its other batches are held, and so are edits and fills.
        place: As the command was given it.
        workers: Number of processes; None: as many as the machine can run.
        is_sure: Whether to continue without a question.
    """
    from chatgenimage.factory.local_run import plan_for_run, working_off

    if not _measure(settings, run_id).is_any:
        stderr.print(f"Run {run_id} was continued, or has no preview; all of it is made.")
        return
    try:
        plan = plan_for_run(settings, run_id, workers)
        with working_off(settings, place.profile, run_id, plan, previews=True):
            _show(settings, run_id)
    except KeyboardInterrupt:
        end_stopped(
            "nothing is lost. The same command continues the preview. Without it: "
            f"{spell('resume', run_id)}"
        )
    held = _measure(settings, run_id)
    if not held.is_any:  # the run is over: it had nothing but first images
        return
    if not is_sure and not _is_wanted(run_id, held):
        stderr.print(_paused(run_id), soft_wrap=True)
        raise typer.Exit
    _resume(settings, run_id)


def _measure(settings: Settings, run_id: int) -> HeldWork:
    with reading(connect(settings.resolved_database_url())) as session:
        return measure_held(session, run_id)


def _is_wanted(run_id: int, held: HeldWork) -> bool:
    """Ask whether the rest is wanted; the answer is no without a terminal.

    Raises:
        typer.Exit: With code 130 after Ctrl-C.
    """
    from chatgenimage.factory.progress.worker_notices import held_in_words

    question = f"Continue run {run_id} with {held_in_words(held)}?"
    try:
        return sys.stdin.isatty() and typer.confirm(question, err=True)
    except (typer.Abort, KeyboardInterrupt):
        stderr.print()  # the question has no line end yet
        end_stopped(f"nothing is lost. {_paused(run_id)}")


def _paused(run_id: int) -> str:
    """Return that the run is paused, with the commands that continue and end it."""
    return (
        f"Run {run_id} is paused after its preview. Continue: {spell('resume', run_id)}. "
        f"Give it up: {spell('cancel', run_id)}."
    )


def _show(settings: Settings, run_id: int) -> None:
    """Write the contact sheet of the first images, and print where it is."""
    from chatgenimage.factory.image_store import open_images
    from chatgenimage.factory.reports.contact_sheet import write_preview

    path = settings.data_dir / f"run-{run_id}-preview.png"
    shown = write_preview(settings, open_images(settings), path, run_id, MOST_SHOWN)
    if shown:
        stderr.print(f"Preview        {path} ({counted(shown, 'image')})", soft_wrap=True)
    else:
        stderr.print(f"No image was made; see {spell('status', run_id)}.", style="yellow")


def _resume(settings: Settings, run_id: int) -> None:
    """Make the run active again; if it is already over, leave it."""
    from chatgenimage.db.control import set_run_state
    from chatgenimage.db.models import Run
    from chatgenimage.db.states import RunState

    with connect(settings.resolved_database_url()).begin() as session:
        set_run_state(session, session.get_one(Run, run_id), RunState.ACTIVE)
