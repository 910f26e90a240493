"""`factory query`: list candidates by label, verdict, origin, scores and caption."""

from dataclasses import replace
from typing import Annotated, Literal

import typer

from chatgenimage.db.queries import CandidateFilter, count_candidates
from chatgenimage.db.ranking import RANKED_BY
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    expected_errors,
    open_chosen_store,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.cli.filtering import (
    VerdictChoice,
    VerdictName,
    choose_candidates,
    find_verdict,
)
from chatgenimage.factory.query.filters import check_stored_names, parse_order
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID
from chatgenimage.factory.terminal.candidate_rows import print_candidates

SortOrder = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="NAME[:asc|desc]",
        help=f"Sort by {', '.join(RANKED_BY)} or a score, smallest first; with :desc greatest "
        "first. Candidates without the value come last.",
        show_default="run, label and key",
    ),
]
COUNTED_ROWS = 1000
"""More rows are not counted: on a million rows that takes longer than the answer."""


@expected_errors()
@takes(wanted=choose_candidates, store=open_chosen_store)
def query(
    *,
    wanted: CandidateFilter,
    verdict: VerdictName = VerdictChoice.ANY,
    sort: SortOrder = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ID, help="Most rows.")] = 50,
    form: Annotated[Literal["table", "csv", "json"], typer.Option("--format")] = "table",
    store: Store,
) -> None:
    """List candidates. CSV and JSON have every score; a wide table has the image path too.

    Example: factory query --label dog --verdict accepted --min clip_similarity=0.25
    """
    order = parse_order(sort)
    wanted = replace(wanted, verdict=find_verdict(verdict))
    most_counted = max(limit, COUNTED_ROWS)
    with reading(store.sessions) as session:
        check_stored_names(session, wanted)
        total = count_candidates(session, replace(wanted, limit=most_counted + 1))
    count = print_candidates(store.iter_rows(replace(wanted, limit=limit), order), form, stdout)
    if total > count or not count:
        of_all = str(total) if total <= most_counted else f"more than {most_counted}"
        stderr.print(f"{count} of {of_all} candidates; see --limit and the other options.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)
