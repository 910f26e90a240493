"""`factory show`: everything that is known of one candidate."""

from typing import Annotated

import typer

from db.queries import get_candidate
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
from factory.records import story_record


@expected_errors()
def show(
    candidate_id: Annotated[
        int, typer.Argument(min=1, max=MAX_ID, help="As `factory query` lists it.")
    ],
    as_json: AsJson = False,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show a candidate: lineage, prompts, seeds, models, objects, scores, why it was rejected.

    Example: factory show 12
    """
    store = open_store(profile, data_dir, database_url)
    with reading(store.sessions) as session:
        story = get_candidate(session, candidate_id)
        if as_json:
            print_json(story_record(story, store.images))
            return
        from factory.story import render_story

        stdout.print(render_story(story, store.images))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)
