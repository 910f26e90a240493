"""`factory thresholds`: the effect of other thresholds, and those that reviews suggest."""

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
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.query.store import Store


@expected_errors(WHOLE_FILES)
@takes(store=open_chosen_store)
def thresholds(
    *,
    run: RunOrLatest = None,
    marks: Annotated[
        str | None,
        typer.Option(
            metavar="gallery|FILE.csv",
            help="Reviews in the database, or a CSV for `factory mark --file FILE.csv`.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A PNG of the histograms.", show_default="in the data dir; none with --json"
        ),
    ] = None,
    objects: Annotated[
        bool,
        typer.Option(
            "--objects",
            help="Instead, show the detector's thresholds by class, measured on the images whose "
            "objects people checked in `factory gallery`.",
        ),
    ] = False,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Show a histogram of each score, and how many candidates other thresholds would accept.

    Example: factory thresholds 1 --marks gallery
    """
    if objects:
        if marks is not None or out is not None:
            raise SettingsError("--objects can be used neither with --marks nor with --out.")
        _show_objects(store, run, as_json=as_json)
    else:
        _show_scores(store, run, marks, out, as_json=as_json)


def _show_scores(
    store: Store, run: int | None, marks: str | None, out: Path | None, *, as_json: bool
) -> None:
    from chatgenimage.factory.atomic_write import write_file
    from chatgenimage.factory.curation.thresholds import calibrate, marks_of, survey
    from chatgenimage.factory.terminal import thresholds_view as view

    with reading(store.sessions) as session:
        found = get_run(session, run)
        marked = marks_of(session, found, marks) if marks else {}
        surveys, advice = survey(session, found), calibrate(session, found, marked)
    path = out or store.settings.data_dir / f"run-{found.id}-thresholds.png"
    if out or not as_json:
        picture = view.surveys_picture(surveys, f"Run {found.id}: scores and thresholds")
        write_file(path, picture, data_dir=store.settings.data_dir)
    if as_json:
        print_json(view.surveys_record(surveys, advice))
        return
    stdout.print(view.surveys_view(surveys))
    if marks:
        stdout.print(view.advice_view(found.id, advice))
    stdout.print(str(path), soft_wrap=True)


def _show_objects(store: Store, run: int | None, *, as_json: bool) -> None:
    from chatgenimage.factory.curation.object_thresholds import (
        calibrate_objects,
        object_thresholds_record,
    )
    from chatgenimage.factory.terminal.object_thresholds_view import object_thresholds_view

    with reading(store.sessions) as session:
        found = calibrate_objects(session, get_run(session, run))
    if as_json:
        print_json(object_thresholds_record(found))
    else:
        stdout.print(object_thresholds_view(found))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(thresholds)
