"""`factory resume`: go on with a run that was interrupted."""

from typing import Annotated

import typer

from chatgenimage.factory.cli.common import (
    AsJson,
    Place,
    RunOrLatest,
    expected_errors,
    stderr,
    takes,
)
from chatgenimage.factory.cli.run import finish_here

Worker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Work here, or leave it to workers elsewhere.")
]


@expected_errors()
@takes(place=Place)
def resume(
    *,
    run: RunOrLatest = None,
    worker: Worker = True,
    place: Place,
    as_json: AsJson = False,
) -> None:
    """Go on with a run from the first thing that is not done; nothing is done twice.

    Frees what dead workers held, ends every wait, and rings again. A paused run goes on too.

    Example: factory resume 3
    """
    store = place.open_store()
    from chatgenimage.factory.processes.resume_run import resume_run, tell

    with store.sessions.begin() as session:
        run_id, found = resume_run(session, run, store.settings)
    stderr.print(tell(run_id, found))
    if worker:
        finish_here(store.settings, run_id, place, as_json=as_json)
    else:
        look = place.spell("status", run_id)
        stderr.print(f"Its workers take it up. Next: {look}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(resume)
