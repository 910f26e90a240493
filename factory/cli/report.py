"""`factory report`: write a run's report as an HTML page and a PNG."""

from pathlib import Path
from typing import Annotated

import typer

from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    WHOLE_FILES,
    AsJson,
    RunOrLatest,
    expected_errors,
    open_chosen_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.query.store import Store


@expected_errors(WHOLE_FILES)
@takes(store=open_chosen_store)
def report(
    *,
    run: RunOrLatest = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="HTML file to write; the PNG gets the same name.", show_default="in the data dir"
        ),
    ] = None,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Write a report of a run: funnel, scores, examples, balance, diversity and cost.

    Example: factory report 1
    """
    from chatgenimage.factory.atomic_write import write_file
    from chatgenimage.factory.progress.worker_notices import list_stops
    from chatgenimage.factory.reports.report import read_facts, to_page, to_picture

    with reading(store.sessions) as session:
        found = get_run(session, run)
        facts = read_facts(session, found)
        page = to_page(facts, store.images, list_stops(session, found))
    path = out or store.settings.data_dir / f"run-{facts.run.id}-report.html"
    picture = path.with_suffix(".png")
    write_file(path, page.encode(), data_dir=store.settings.data_dir)
    write_file(picture, to_picture(facts), data_dir=store.settings.data_dir)
    if as_json:
        print_json({"page": path, "picture": picture})
    else:
        stdout.print(f"{path}\n{picture}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)
