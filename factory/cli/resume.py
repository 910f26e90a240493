"""`factory resume`: go on with a run that was interrupted."""

from typing import Annotated

import typer

from factory.cli.common import (
    MAX_ID,
    AsJson,
    DatabaseUrl,
    DataDir,
    ProfileName,
    expected_errors,
    open_store,
    stderr,
)
from factory.cli.run import finish_here

OptionalRun = Annotated[
    int | None, typer.Argument(min=1, max=MAX_ID, help="Its number.", show_default="latest")
]
Worker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Work here, or leave it to workers elsewhere.")
]


def resume(
    run: OptionalRun = None,
    worker: Worker = True,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run from the first thing that is not done; nothing is done twice.

    Frees what dead workers held, ends every wait, and rings again. A paused run goes on too.

    Example: factory resume 3
    """
    with expected_errors():
        store = open_store(profile, data_dir, database_url)
        from factory.resuming import resume_run, tell

        with store.sessions.begin() as session:
            run_id, found = resume_run(session, run, store.settings)
        stderr.print(tell(run_id, found))
        if worker:
            finish_here(store.settings, run_id, profile, data_dir, database_url, as_json=as_json)
        else:
            stderr.print(f"Its workers take it up. Next: factory status {run_id}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(resume)
