"""`factory pause`, `continue`, `cancel` and `retry`: what people do to a run."""

from typing import Annotated, Literal

import typer

from db import control
from db.runs import get_run, list_run_ids
from db.states import RunState
from factory.cli.common import (
    MAX_ID,
    Budget,
    DatabaseUrl,
    DataDir,
    ProfileName,
    expected_errors,
    open_store,
    stdout,
)

RunNumber = Annotated[int, typer.Argument(min=1, max=MAX_ID, help="Its number.")]
OptionalRun = Annotated[
    int | None, typer.Argument(min=1, max=MAX_ID, help="Its number.", show_default="latest")
]
StepName = Annotated[
    Literal["brainstorm", "generate", "label", "imagine", "edit", "place", "fill", "filter"] | None,
    typer.Option("--step", help="Only what this step gave up."),
]
EveryRun = Annotated[bool, typer.Option("--all", help="Of every run.")]


@expected_errors()
def pause(
    run: RunNumber,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let a run rest; steps in hand end after their pass.

    Example: factory pause 3
    """
    _set_state(run, RunState.PAUSED, profile, data_dir, database_url)


@expected_errors()
def go_on(
    run: RunNumber,
    budget: Budget = None,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let a paused run go on, with another budget if its own is spent.

    Example: factory continue 3 --budget 10
    """
    from factory.submitter import allow

    store = open_store(profile, data_dir, database_url)
    with store.sessions.begin() as session:
        found = get_run(session, run)
        allow(found, budget)
        now = control.set_run_state(session, found, RunState.ACTIVE)
    stdout.print(f"run {run} is {now}")


@expected_errors()
def cancel(
    run: RunNumber,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """End a run for good; what was made stays.

    Example: factory cancel 3
    """
    _set_state(run, RunState.CANCELLED, profile, data_dir, database_url)


@expected_errors()
def retry(
    run: OptionalRun = None,
    step: StepName = None,
    every_run: EveryRun = False,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Give what was given up another try: of one run, of one kind of step, or of every run.

    Example: factory retry 3 --step fill
    """
    store = open_store(profile, data_dir, database_url)
    with store.sessions.begin() as session:
        run_ids = list_run_ids(session) if every_run else [get_run(session, run).id]
        counts = {run_id: control.retry_quarantined(session, run_id, step) for run_id in run_ids}
    for run_id, count in counts.items():
        if count:
            stdout.print(f"{count} items of run {run_id} get another try: factory resume {run_id}")
    if not any(counts.values()):
        stdout.print("nothing was given up there")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(pause)
    app.command(name="continue")(go_on)
    app.command()(cancel)
    app.command()(retry)


def _set_state(
    run: int, state: RunState, profile: ProfileName, data_dir: DataDir, database_url: DatabaseUrl
) -> None:
    store = open_store(profile, data_dir, database_url)
    with store.sessions.begin() as session:
        now = control.set_run_state(session, get_run(session, run), state)
    stdout.print(f"run {run} is {now}")
