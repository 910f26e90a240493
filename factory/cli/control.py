"""`factory pause`, `cancel` and `retry`: change the state of a run."""

from typing import Annotated, Literal

import typer

from chatgenimage.db import control
from chatgenimage.db.runs import get_run, list_run_ids
from chatgenimage.db.states import RunState
from chatgenimage.factory.cli.common import (
    RunNumber,
    RunOrLatest,
    expected_errors,
    open_chosen_store,
    stdout,
    takes,
)
from chatgenimage.factory.commands import spell
from chatgenimage.factory.query.store import Store

StepName = Annotated[
    Literal["brainstorm", "generate", "label", "imagine", "edit", "place", "fill", "filter"] | None,
    typer.Option("--step", help="Only items that this step gave up."),
]
EveryRun = Annotated[bool, typer.Option("--all", help="Of every run.")]


@expected_errors()
@takes(store=open_chosen_store)
def pause(*, run: RunNumber, store: Store) -> None:
    """Pause a run; steps that are running end after their pass.

    `factory resume` resumes it.

    Example: factory pause 3
    """
    _set_state(store, run, RunState.PAUSED)


@expected_errors()
@takes(store=open_chosen_store)
def cancel(*, run: RunNumber, store: Store) -> None:
    """Cancel a run for good; what was made stays.

    Example: factory cancel 3
    """
    _set_state(store, run, RunState.CANCELLED)


@expected_errors()
@takes(store=open_chosen_store)
def retry(
    *, run: RunOrLatest = None, step: StepName = None, every_run: EveryRun = False, store: Store
) -> None:
    """Retry items that were given up: of one run, of one kind of step, or of every run.

    Example: factory retry 3 --step fill
    """
    with store.sessions.begin() as session:
        run_ids = list_run_ids(session) if every_run else [get_run(session, run).id]
        counts = {run_id: control.retry_quarantined(session, run_id, step) for run_id in run_ids}
    for run_id, count in counts.items():
        if count:
            resume = spell("resume", run_id)
            line = f"{count} items of run {run_id} will be tried again: {resume}"
            stdout.print(line, soft_wrap=True)
    if not any(counts.values()):
        stdout.print("no item was given up there")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(pause)
    app.command()(cancel)
    app.command()(retry)


def _set_state(store: Store, run: int, state: RunState) -> None:
    with store.sessions.begin() as session:
        now = control.set_run_state(session, get_run(session, run), state)
    stdout.print(f"run {run} is {now}")
