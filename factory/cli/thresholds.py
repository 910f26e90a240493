"""`factory thresholds`: what other thresholds would keep, and which ones marks speak for."""

from pathlib import Path
from typing import Annotated

import typer

from db.runs import get_run
from db.session import reading
from factory.cli.common import (
    MAX_ID,
    AsJson,
    DatabaseUrl,
    DataDir,
    ProfileName,
    expected_errors,
    open_store,
    print_json,
    stdout,
)


@expected_errors()
def thresholds(
    run: Annotated[
        int | None,
        typer.Argument(min=1, max=MAX_ID, help="Its number.", show_default="the latest"),
    ] = None,
    marks: Annotated[
        Path | None,
        typer.Option(help="CSV of marks: mark (good or bad), and candidate, or label and key."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A PNG of the histograms.", show_default="in the data dir")
    ] = None,
    as_json: AsJson = False,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show each score's histogram, and how many would survive at other thresholds.

    Example: factory thresholds 1 --marks marks.csv
    """
    from factory import thresholds_view as view
    from factory.thresholds import calibrate, read_marks, survey
    from factory.written import write_file

    store = open_store(profile, data_dir, database_url)
    with reading(store.sessions) as session:
        found = get_run(session, run)
        marked = read_marks(session, found, marks) if marks else {}
        surveys, advice = survey(session, found), calibrate(session, found, marked)
    if as_json:
        print_json(view.surveys_record(surveys, advice))
        return
    path = out or store.settings.data_dir / f"run-{found.id}-thresholds.png"
    write_file(path, view.surveys_picture(surveys, f"Run {found.id}: scores and thresholds"))
    stdout.print(view.surveys_view(surveys))
    if marks:
        stdout.print(view.advice_view(advice))
    stdout.print(str(path), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(thresholds)
