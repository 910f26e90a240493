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
    Most,
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
    )
    with reading(store.sessions) as session:
        found = iter_candidates(session, replace(wanted, limit=limit))
        records = [candidate_record(candidate, store.images) for candidate in found]
        total = count_candidates(session, wanted)
    stdout.print(candidates_text(records, form, width=stdout.width), soft_wrap=form != "table")
    if total > len(records) or not records:
        stderr.print(f"{len(records)} of {total} candidates; see --limit and the other options.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)
