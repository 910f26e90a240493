"""`factory contact-sheet`: draw the accepted candidates of a run in one image."""

from typing import Annotated

import typer

from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    WHOLE_FILES,
    PngFile,
    expected_errors,
    open_chosen_store,
    stdout,
    takes,
)
from chatgenimage.factory.errors import NothingFound
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID


@expected_errors(WHOLE_FILES)
@takes(store=open_chosen_store)
def contact_sheet(
    *,
    run: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_ID, help="Number of the run.", show_default="latest"),
    ] = None,
    out: PngFile = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most candidates to draw.")] = 24,
    store: Store,
) -> None:
    """Draw accepted candidates with boxes, masks and captions, each next to its parent or prompt.

    Example: factory contact-sheet --run 1 --out dogs.png
    """
    from chatgenimage.factory.reports.contact_sheet import default_path, write_contact_sheet

    with reading(store.sessions) as session:
        run_id = get_run(session, run).id
    path = out or default_path(store.settings, run_id)
    data_dir = store.settings.data_dir
    if not write_contact_sheet(
        store.sessions, store.images, path, run_id=run_id, limit=limit, data_dir=data_dir
    ):
        raise NothingFound(
            f"run {run_id} has no accepted candidate; see `factory status {run_id}`."
        )
    stdout.print(str(path), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(contact_sheet)
