"""The options that choose candidates, and the filter they make."""

from typing import Annotated

import typer

from chatgenimage.db.queries import CandidateFilter, Range
from chatgenimage.db.states import Marked, Origin, Verdict
from chatgenimage.factory.cli.common import MAX_ID
from chatgenimage.factory.query.rows import check_name, parse_score
from chatgenimage.tasks.filter_rules import REASONS, SCORE_NAMES

RunId = Annotated[
    int | None,
    typer.Option("--run", min=1, max=MAX_ID, help="One run only.", show_default="every run"),
]
LabelNames = Annotated[
    list[str] | None,
    typer.Option("--label", help="A label that was asked for; may be repeated."),
]
VerdictName = Annotated[Verdict | None, typer.Option("--verdict", help="What the filters said.")]
OriginName = Annotated[Origin | None, typer.Option("--origin", help="How it came to be.")]
Reason = Annotated[
    str | None, typer.Option("--reason", help=f"Why it was rejected: {', '.join(REASONS)}.")
]
Round = Annotated[
    int | None, typer.Option("--round", min=0, max=MAX_ID, help="Round; 0 are the initial images.")
]
Objects = Annotated[
    list[str] | None,
    typer.Option("--object", help="Something that was found on it; may be repeated."),
]
Least = Annotated[
    list[str] | None,
    typer.Option("--min", metavar="SCORE=VALUE", help=f"Scores: {', '.join(SCORE_NAMES)}."),
]
Most = Annotated[
    list[str] | None, typer.Option("--max", metavar="SCORE=VALUE", help="May be repeated.")
]
DuplicatesOf = Annotated[
    int | None,
    typer.Option(
        "--duplicates-of",
        metavar="ID",
        min=1,
        max=MAX_ID,
        help="Rejected because they repeat this candidate.",
    ),
]
CaptionWords = Annotated[
    list[str] | None,
    typer.Option("--caption", help="A word of the caption begins so; may be repeated."),
]
LeastObjects = Annotated[
    int | None, typer.Option("--min-objects", min=0, max=MAX_ID, help="Least objects found.")
]
MostObjects = Annotated[
    int | None, typer.Option("--max-objects", min=0, max=MAX_ID, help="Most objects found.")
]
MarkName = Annotated[
    Marked | None, typer.Option("--marked", help="What people said of it (`factory mark`).")
]
HeedsMarks = Annotated[
    bool,
    typer.Option(
        "--heed-marks",
        help="A mark outranks the verdict: good counts as accepted, bad as rejected.",
    ),
]


def make_filter(  # an argument is an option
    *,
    run_id: RunId = None,
    labels: LabelNames = None,
    origin: OriginName = None,
    reason: Reason = None,
    round_: Round = None,
    objects: Objects = None,
    least: Least = None,
    most: Most = None,
    caption_words: CaptionWords = None,
    duplicates_of: DuplicatesOf = None,
    least_objects: LeastObjects = None,
    most_objects: MostObjects = None,
    marked: MarkName = None,
    heeds_marks: HeedsMarks = False,
) -> CandidateFilter:
    """Return the filter that the options ask for; the verdict and the limit are left open.

    Raises:
        UnknownName: If a score or a reason is none of ours, or a bound is no number.
    """
    if reason is not None:
        check_name("reason", reason, REASONS)
    return CandidateFilter(
        run_id=run_id,
        labels=tuple(labels or ()),
        origin=origin,
        reason=reason,
        round=round_,
        objects=tuple(objects or ()),
        object_count=(least_objects, most_objects),
        scores=parse_ranges(least or [], most or []),
        caption_words=tuple(caption_words or ()),
        duplicates_of=duplicates_of,
        marked=marked,
        heeds_marks=heeds_marks,
    )


def parse_ranges(least: list[str], most: list[str]) -> dict[str, Range]:
    """Return score ranges from texts like "clip_similarity=0.25".

    Raises:
        UnknownName: If a text is not of this form or names no score.
    """
    lower, upper = dict(map(parse_score, least)), dict(map(parse_score, most))
    return {name: (lower.get(name), upper.get(name)) for name in {**lower, **upper}}
