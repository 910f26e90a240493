"""`factory query`: candidates by label, verdict, origin, scores and words."""

from dataclasses import replace
from typing import Annotated, Literal

import typer

from db.queries import count_candidates, iter_candidates
from db.session import reading
from factory.cli.common import (
    MAX_ID,
    DatabaseUrl,
    DataDir,
    ProfileName,
    expected_errors,
    open_store,
    stderr,
    stdout,
)
from factory.cli.filtering import (
    CaptionWords,
    LabelNames,
    Least,
    LeastObjects,
    Most,
    MostObjects,
    Objects,
    OriginName,
    Reason,
    Round,
    RunId,
    VerdictName,
    make_filter,
)
from factory.records import candidate_record
from factory.tables import candidates_text

COUNTED_ROWS = 1000
"""What is beyond is not counted: on a million rows that takes longer than the answer."""


@expected_errors()
def query(
    run: RunId = None,
    label: LabelNames = None,
    verdict: VerdictName = None,
    origin: OriginName = None,
    reason: Reason = None,
    round_: Round = None,
    objects: Objects = None,
    least: Least = None,
    most: Most = None,
    caption: CaptionWords = None,
    least_objects: LeastObjects = None,
    most_objects: MostObjects = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ID, help="Most rows.")] = 50,
    form: Annotated[Literal["table", "csv", "json"], typer.Option("--format")] = "table",
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List candidates. CSV and JSON have every score; a table that is wide enough, the image.

    Example: factory query --label dog --verdict accepted --min clip_similarity=0.25
    """
    store = open_store(profile, data_dir, database_url)
    wanted = make_filter(
        run_id=run,
        labels=label,
        verdict=verdict,
        origin=origin,
        reason=reason,
        round_=round_,
        objects=objects,
        least=least,
        most=most,
        caption_words=caption,
        least_objects=least_objects,
        most_objects=most_objects,
    )
    with reading(store.sessions) as session:
        found = iter_candidates(session, replace(wanted, limit=limit))
        records = [candidate_record(candidate, store.images) for candidate in found]
        most_counted = max(limit, COUNTED_ROWS)
        total = count_candidates(session, replace(wanted, limit=most_counted + 1))
    stdout.print(candidates_text(records, form, width=stdout.width), soft_wrap=form != "table")
    if total > len(records) or not records:
        of_all = str(total) if total <= most_counted else f"more than {most_counted}"
        stderr.print(f"{len(records)} of {of_all} candidates; see --limit and the other options.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)
