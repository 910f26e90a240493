"""`factory mark`: a person's reviews of candidates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from chatgenimage.db.marks import add_marks
from chatgenimage.db.runs import get_run
from chatgenimage.db.states import Marked
from chatgenimage.factory.cli.common import (
    ROWS_TOGETHER,
    AsJson,
    expected_errors,
    open_chosen_store,
    print_json,
    refuse_unused,
    stdout,
    takes,
)
from chatgenimage.factory.curation.reviews import MARKS, name_person, read_marks
from chatgenimage.factory.errors import BadMarks
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID


@expected_errors(ROWS_TOGETHER)
@takes(store=open_chosen_store)
def mark(
    *,
    said: Annotated[
        Marked | None,
        typer.Argument(metavar="MARK", help="good, bad, or none, which withdraws a review."),
    ] = None,
    candidate_ids: Annotated[
        list[int] | None, typer.Argument(min=1, max=MAX_ID, help="As `factory query` lists them.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns mark, and candidate (an id) or label and key."),
    ] = None,
    run: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_ID, help="Run of the candidates in the CSV.", show_default="the latest"
        ),
    ] = None,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Review candidates as good or bad, to calibrate thresholds and to choose what is exported.

    Example: factory mark good 12 15 17
    """
    if (said is None or not candidate_ids) == (file is None):
        raise BadMarks("expected MARK and candidates, or --file; e.g. factory mark good 12 15.")
    if file is None:
        refuse_unused("without --file; a candidate's number is enough", run=run is not None)
    else:
        refuse_unused("with --file, which has the reviews", MARK=said is not None)
    with store.sessions.begin() as session:
        marks: dict[int, bool | None] = (
            {**read_marks(session, get_run(session, run), file)}
            if file
            else dict.fromkeys(candidate_ids or [], MARKS.get(said or Marked.NONE))
        )
        add_marks(session, marks, name_person())
    if as_json:
        print_json(marks)
    else:
        stdout.print(_count(list(marks.values())))


def _count(marks: Sequence[bool | None]) -> str:
    """Return the numbers of good, bad and withdrawn reviews, e.g. "2 good, 1 bad"."""
    names = {"good": True, "bad": False, "not reviewed any more": None}
    counts = [f"{marks.count(one)} {name}" for name, one in names.items() if one in marks]
    return ", ".join(counts) or "no reviews"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(mark)
