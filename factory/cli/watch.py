"""`factory watch`: show a run's progress, from any machine."""

from functools import partial
from typing import Annotated

import typer

from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    RunOrLatest,
    expected_errors,
    open_chosen_store,
    stderr,
    takes,
)
from chatgenimage.factory.query.store import Store


@expected_errors("the run is not changed. The same command shows it again.")
@takes(store=open_chosen_store)
def watch(
    *,
    run: RunOrLatest = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per interval, one per line.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between updates.")] = 2.0,
    store: Store,
) -> None:
    """Show a run's progress: steps, workers, rates, time left, acceptance, errors.

    Reads only the database. Ends with the run: exit code 0 if it is done; 1 if items were given up,
    a label has no candidate, or the run was cancelled or paused by itself.

    Example: factory watch 3 --database-url postgresql+psycopg://factory@db/factory
    """
    from chatgenimage.db.run_problems import Problems
    from chatgenimage.factory.problems import problem_lines
    from chatgenimage.factory.progress.watch import exit_code, watch, watch_as_json

    with reading(store.sessions) as session:
        run_id = get_run(session, run).id
    if as_json:
        show_outage = partial(stderr.print, soft_wrap=True)
        last = watch_as_json(store.sessions, run_id, interval, show_outage)
    else:
        last = watch(store.sessions, run_id, interval)
        reason = f": {last.pause_reason}" if last.pause_reason else ""
        stderr.print(f"run {run_id} is {last.state}{reason}", soft_wrap=True)
        for line in problem_lines(run_id, last.problems or Problems()):
            stderr.print(line, style="yellow", soft_wrap=True)
    raise typer.Exit(exit_code(last))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)
