"""`factory status`: progress of a run."""

import typer

from chatgenimage.db.clock import now
from chatgenimage.db.runs import get_run, list_quarantined
from chatgenimage.db.session import reading
from chatgenimage.db.waits import list_waits
from chatgenimage.factory.cli.common import (
    AsJson,
    RunOrLatest,
    expected_errors,
    open_chosen_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.query.json_records import run_record
from chatgenimage.factory.query.store import Store


@expected_errors()
@takes(store=open_chosen_store)
def status(*, run: RunOrLatest = None, as_json: AsJson = False, store: Store) -> None:
    """Show what of a run waits, runs, is done or was given up, and the results so far.

    Example: factory status 1 --json
    """
    with reading(store.sessions) as session:
        found = get_run(session, run, with_labels=as_json)
        if as_json:
            print_json(run_record(session, found, store.settings))
            return
        from chatgenimage.factory.terminal.coverage_view import coverage_view
        from chatgenimage.factory.terminal.tables import quarantine_table, status_view, trouble_of

        stdout.print(status_view(session, found, now=now(session), width=stdout.width))
        for part in coverage_view(session, found.id):
            stdout.print(part)
        for line in list_waits(session, found.id, 2 * store.settings.delivery.lease_s):
            stdout.print(f"Waits: {line}", style="yellow", soft_wrap=True, markup=False)
        for line in trouble_of(session, found):
            stdout.print(line, style="yellow", soft_wrap=True)
        if given_up := list_quarantined(session, found.id):
            stdout.print(quarantine_table(given_up))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)
