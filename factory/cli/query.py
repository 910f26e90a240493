"""`factory query`: candidates by label, verdict, origin, scores and words."""

from dataclasses import replace
from typing import Annotated, Literal

import typer

from chatgenimage.db.queries import CandidateFilter, count_candidates, iter_candidates
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    MAX_ID,
    expected_errors,
    open_store,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.cli.filtering import VerdictName, make_filter
from chatgenimage.factory.query.json_records import candidate_record
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.terminal.tables import candidates_text

COUNTED_ROWS = 1000
"""What is beyond is not counted: on a million rows that takes longer than the answer."""


@expected_errors()
@takes(wanted=make_filter, store=open_store)
def query(
    *,
    wanted: CandidateFilter,
    verdict: VerdictName = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ID, help="Most rows.")] = 50,
    form: Annotated[Literal["table", "csv", "json"], typer.Option("--format")] = "table",
    store: Store,
) -> None:
    """List candidates. CSV and JSON have every score; a table that is wide enough, the image.

    Example: factory query --label dog --verdict accepted --min clip_similarity=0.25
    """
    wanted = replace(wanted, verdict=verdict)
    most_counted = max(limit, COUNTED_ROWS)
    with reading(store.sessions) as session:
        found = iter_candidates(session, replace(wanted, limit=limit))
        records = [candidate_record(candidate, store.images) for candidate in found]
        total = count_candidates(session, replace(wanted, limit=most_counted + 1))
    stdout.print(candidates_text(records, form, width=stdout.width), soft_wrap=form != "table")
    if total > len(records) or not records:
        of_all = str(total) if total <= most_counted else f"more than {most_counted}"
        stderr.print(f"{len(records)} of {of_all} candidates; see --limit and the other options.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)
