"""`factory show`: show all data of one candidate."""

import typer

from chatgenimage.db.queries import get_candidate
from chatgenimage.db.session import reading
from chatgenimage.factory.cli.common import (
    AsJson,
    CandidateId,
    expected_errors,
    open_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.query.json_records import story_record
from chatgenimage.factory.query.store import Store


@expected_errors()
@takes(store=open_store)
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
        story = get_candidate(session, candidate_id)
        if as_json:
            print_json(story_record(story, store.images))
            return
        from chatgenimage.factory.terminal.candidate_detail import render_story

        stdout.print(render_story(story, store.images))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)
