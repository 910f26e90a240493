"""`factory pause`, `cancel` and `retry`: change the state of a run."""

import sys
from collections.abc import Container
from typing import Annotated, Literal

import typer

from chatgenimage.db import control
from chatgenimage.db.preview import measure_held
from chatgenimage.db.run_progress import RunOverview, overview
from chatgenimage.db.runs import get_run, list_run_ids
from chatgenimage.db.session import reading
from chatgenimage.db.states import RunState
from chatgenimage.factory.cli.common import (
    ROWS_TOGETHER,
    RunNumber,
    RunOrLatest,
    expected_errors,
    open_chosen_store,
    refuse_unused,
    stdout,
    takes,
)
from chatgenimage.factory.commands import spell
from chatgenimage.factory.errors import NotConfirmed, RunOver
from chatgenimage.factory.progress.worker_notices import list_stops
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.wording import counted

StepName = Annotated[
    Literal["brainstorm", "generate", "label", "imagine", "edit", "place", "fill", "filter"] | None,
    typer.Option("--step", help="Only items that this step gave up."),
]
EveryRun = Annotated[bool, typer.Option("--all", help="Retry the items of every run.")]
Yes = Annotated[bool, typer.Option("--yes", help="Cancel without asking.")]


@expected_errors(ROWS_TOGETHER)
@takes(store=open_chosen_store)
def pause(*, run: RunNumber, store: Store) -> None:
    """Pause a run; steps that are running end after their pass.

    `factory resume` resumes it.

    Example: factory pause 3
    """
    with store.sessions.begin() as session:
        found = control.hold_run(session, get_run(session, run).id)
        if found.state in {RunState.DONE, RunState.CANCELLED}:
            raise RunOver(f"run {run} is {found.state} and cannot be paused.")
        already = "already " if found.state == RunState.PAUSED else ""
        state = control.set_run_state(session, found, RunState.PAUSED)
        stops = list_stops(session, found) if measure_held(session, run).is_any or already else ()
    resume = "" if stops else f". Resume it with: {spell('resume', run)}"
    stdout.print("\n".join([f"run {run} is {already}{state}{resume}", *stops]), soft_wrap=True)


@expected_errors(ROWS_TOGETHER)
@takes(store=open_chosen_store)
def cancel(*, run: RunNumber, yes: Yes = False, store: Store) -> None:
    """Cancel a run for good; what was made stays. It asks first; without a terminal, give --yes.

    Example: factory cancel 3 --yes
    """
    with reading(store.sessions) as session:
        state = get_run(session, run).state
        now = overview(session, run, by_label=False)
    if state == RunState.DONE:
        raise RunOver(f"run {run} is done; there is nothing to cancel.")
    if state != RunState.CANCELLED and not yes:
        _ask(run, now)
    with store.sessions.begin() as session:
        state = control.set_run_state(session, get_run(session, run), RunState.CANCELLED)
    stdout.print(f"run {run} is {state}")


@expected_errors(ROWS_TOGETHER)
@takes(store=open_chosen_store)
def retry(
    *, run: RunOrLatest = None, step: StepName = None, every_run: EveryRun = False, store: Store
) -> None:
    """Retry items that were given up: of one run, of one kind of step, or of every run.

    Example: factory retry 3 --step fill
    """
    if every_run:
        refuse_unused("with --all, which is every run", RUN=run is not None)
    with store.sessions.begin() as session:
        if not every_run and get_run(session, run).state == RunState.CANCELLED:
            raise RunOver(f"run {get_run(session, run).id} is cancelled; nothing of it is retried.")
        run_ids = list_run_ids(session) if every_run else [get_run(session, run).id]
        counts = {run_id: control.retry_quarantined(session, run_id, step) for run_id in run_ids}
        previewed = {one for one in run_ids if counts[one] and measure_held(session, one).is_any}
        stops = () if every_run else list_stops(session, get_run(session, run))
    for run_id, count in counts.items():
        if count:
            items = counted(count, "item")
            line = f"{items} of run {run_id} will be tried again: {_work(run_id, previewed)}"
            stdout.print(line, soft_wrap=True)
    if not any(counts.values()):
        stdout.print("no item was given up there")
        for line in stops:
            stdout.print(line, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(pause)
    app.command()(cancel)
    app.command()(retry)


def _work(run_id: int, previewed: Container[int]) -> str:
    """Return which command works on the items of a run; resuming would end its preview."""
    if run_id not in previewed:
        return spell("resume", run_id)
    return (
        "the same command with --preview does it and asks again; "
        f"`{spell('resume', run_id)}` also makes what waits for the answer"
    )


def _ask(run: int, now: RunOverview) -> None:
    """Ask whether to cancel; end the command if the answer is no."""
    left = f"{now.batches - now.batches_done} of {now.batches} batches are not done"
    if not sys.stdin.isatty():
        raise NotConfirmed(
            f"a cancelled run cannot be resumed, and {left}: `factory cancel {run} --yes` cancels "
            f"it without asking; `factory pause {run}` only pauses it."
        )
    question = f"Cancel run {run} for good? {left}; what was made stays."
    if not typer.confirm(question):
        stdout.print(f"run {run} is not cancelled")
        raise typer.Exit(1)
