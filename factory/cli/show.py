"""`factory show`: show all data of one candidate."""

import typer

from chatgenimage.db.queries import get_candidate
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    AsJson,
    CandidateId,
    expected_errors,
    open_chosen_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.query.json_records import detail_record
from chatgenimage.factory.query.store import Store


@expected_errors()
@takes(store=open_chosen_store)
def show(
    *,
    candidate_id: CandidateId,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Show a candidate: lineage, prompts, seeds, models, objects, scores and verdict.

    Example: factory show 12
    """
    with reading(store.sessions) as session:
        detail = get_candidate(session, candidate_id)
        if as_json:
            print_json(detail_record(detail, store.images))
            return
        from chatgenimage.factory.terminal.candidate_detail import render_detail

        stdout.print(render_detail(detail, store.images))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)
