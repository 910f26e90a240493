"""`factory runs`: list the runs, newest first."""

from dataclasses import asdict
from typing import Annotated

import typer

from chatgenimage.db.clock import now
from chatgenimage.db.runs import count_runs, list_runs
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    AsJson,
    expected_errors,
    open_chosen_store,
    print_json,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID


@expected_errors()
@takes(store=open_chosen_store)
def runs(
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ID, help="Most runs.")] = 20,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """List the runs, newest first: labels, state, times, and how many candidates were accepted.

    Example: factory runs --limit 5
    """
    with reading(store.sessions) as session:
        found, total, time = list_runs(session, limit), count_runs(session), now(session)
    if as_json:
        print_json([asdict(run) for run in found])
        return
    from chatgenimage.factory.terminal.runs_table import runs_table

    stdout.print(runs_table(found, time))
    if total > len(found):
        stderr.print(f"{len(found)} of {total} runs; see --limit.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(runs)
