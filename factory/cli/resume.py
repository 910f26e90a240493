"""`factory resume`: resume a run that was paused or interrupted."""

from typing import Annotated

import typer

from chatgenimage.factory.cli.common import (
    ROWS_TOGETHER,
    WORKERS_AUTO,
    AsJson,
    RunNumber,
    RunOrLatest,
    StoreOptions,
    Workers,
    choose_limits,
    expected_errors,
    parse_workers,
    refuse_unused,
    stderr,
    takes,
)
from chatgenimage.factory.cli.run import finish_here, prepare_here
from chatgenimage.factory.commands import spell
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.submission.budgets import SpendingLimits

Worker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Work here, or leave it to workers elsewhere.")
]


@expected_errors(ROWS_TOGETHER)
@takes(limits=choose_limits, place=StoreOptions)
def resume(
    *,
    run: RunOrLatest = None,
    limits: SpendingLimits,
    worker: Worker = True,
    workers: Workers = WORKERS_AUTO,
    place: StoreOptions,
    as_json: AsJson = False,
) -> None:
    """Resume a paused or interrupted run where it stopped; nothing is done twice.

    Releases the steps of dead workers, ends delays, and queues the batches again. A run that was
    paused because its budget is spent needs a larger one.

    Example: factory resume 3 --budget 10
    """
    wanted_workers = parse_workers(workers)
    if not worker:
        refuse_unused(
            "with --no-worker, which starts no work here",
            workers=wanted_workers is not None,
            json=as_json,
        )
    store = place.open_chosen_store()
    if worker:
        prepare_here(store.settings, ())
    run_id = _resume(store, run, limits)
    if worker:
        finish_here(store.settings, run_id, place, wanted_workers, as_json=as_json)
    else:
        _point_to_status(run_id)


@expected_errors(ROWS_TOGETHER)
@takes(limits=choose_limits, place=StoreOptions)
def continue_(*, run: RunNumber, limits: SpendingLimits, place: StoreOptions) -> None:
    """Do the same as `factory resume --no-worker`, which replaces this command.

    Example: factory continue 3 --budget 10
    """
    _point_to_status(_resume(place.open_chosen_store(), run, limits))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(resume)
    app.command("continue", hidden=True)(continue_)


def _resume(store: Store, run: int | None, limits: SpendingLimits) -> int:
    from chatgenimage.factory.processes.resume_run import describe_resumed, resume_run

    with store.sessions.begin() as session:
        run_id, found = resume_run(session, run, store.settings, limits)
    stderr.print(describe_resumed(run_id, found), soft_wrap=True)
    return run_id


def _point_to_status(run_id: int) -> None:
    look = spell("status", run_id)
    stderr.print(f"Workers elsewhere work on it. Next: {look}", soft_wrap=True)
