"""The options that choose candidates, and the filter that they ask for."""

from enum import StrEnum
from typing import Annotated

import typer

from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.states import Marked, Origin, Verdict
from chatgenimage.factory.query.filters import ANY_VERDICT, make_filter, parse_ranges
from chatgenimage.factory.settings.arguments import MAX_ID
from chatgenimage.tasks.filter_rules import REASONS, SCORE_NAMES


class VerdictChoice(StrEnum):
    """A verdict, or any."""

    ACCEPTED = Verdict.ACCEPTED.value
    REJECTED = Verdict.REJECTED.value
    ANY = ANY_VERDICT


RunId = Annotated[
    int | None,
    typer.Option("--run", min=1, max=MAX_ID, help="One run only.", show_default="every run"),
]
LabelNames = Annotated[
    list[str] | None,
    typer.Option("--label", help="A label that was asked for; may be repeated."),
]
VerdictName = Annotated[VerdictChoice, typer.Option("--verdict", help="Verdict of the filters.")]
OriginName = Annotated[Origin | None, typer.Option("--origin", help="How the image was made.")]
Reason = Annotated[
    str | None, typer.Option("--reason", help=f"Why it was rejected: {', '.join(REASONS)}.")
]
Round = Annotated[
    int | None, typer.Option("--round", min=0, max=MAX_ID, help="Round; 0 are the initial images.")
]
Objects = Annotated[
    list[str] | None,
    typer.Option("--object", help="An object that was detected in it; may be repeated."),
]
Least = Annotated[
    list[str] | None,
    typer.Option(
        "--min",
        metavar="SCORE=VALUE",
        help=f"Least value of a score; may be repeated. Scores: {', '.join(SCORE_NAMES)}.",
    ),
]
Most = Annotated[
    list[str] | None,
    typer.Option(
        "--max", metavar="SCORE=VALUE", help="Greatest value of a score; may be repeated."
    ),
]
DuplicatesOf = Annotated[
    int | None,
    typer.Option(
        "--duplicates-of",
        metavar="ID",
        min=1,
        max=MAX_ID,
        help="Rejected as near-duplicates of this candidate.",
    ),
]
CaptionWords = Annotated[
    list[str] | None,
    typer.Option("--caption", help="The beginning of a word of the caption; may be repeated."),
]
DomainNames = Annotated[
    list[str] | None,
    typer.Option("--domain", help="A domain that was asked for; may be repeated."),
]
LeastObjects = Annotated[
    int | None, typer.Option("--min-objects", min=0, max=MAX_ID, help="Least number of objects.")
]
MostObjects = Annotated[
    int | None, typer.Option("--max-objects", min=0, max=MAX_ID, help="Greatest number of objects.")
]
ReviewName = Annotated[
    Marked | None, typer.Option("--marked", help="The newest review (`factory mark`).")
]
UseReviews = Annotated[
    bool,
    typer.Option(
        "--use-reviews",
        help="Reviews outrank the models: good counts as accepted, bad as rejected, and an export "
        "has the objects as people corrected them.",
    ),
]
HeedMarks = Annotated[bool, typer.Option("--heed-marks", hidden=True)]
"""The former name of `--use-reviews`."""


def find_verdict(choice: VerdictChoice) -> Verdict | None:
    """Return the chosen verdict; None for any."""
    return None if choice is VerdictChoice.ANY else Verdict(choice)


def choose_candidates(  # an argument is an option
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
    domains: DomainNames = None,
    duplicates_of: DuplicatesOf = None,
    least_objects: LeastObjects = None,
    most_objects: MostObjects = None,
    marked: ReviewName = None,
    use_reviews: UseReviews = False,
    heed_marks: HeedMarks = False,
) -> CandidateFilter:
    """Return the filter that the options ask for; the verdict and the limit are left open.

    Raises:
        UnknownName: If a score or a reason does not exist, or a bound is not a number.
    """
    return make_filter(
        run=run_id,
        label=labels,
        origin=origin,
        reason=reason,
        round=round_,
        objects=objects,
        object_count=(least_objects, most_objects),
        scores=parse_ranges(least or [], most or []),
        caption=caption_words,
        domain=domains,
        duplicates_of=duplicates_of,
        marked=marked,
        use_reviews=use_reviews or heed_marks,
    )
