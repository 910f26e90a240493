"""Candidate filters: keywords, options and addresses, parsed and checked in one place."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Unpack

from pydantic import Field
from sqlalchemy.orm import Session
from typing_extensions import TypedDict  # of Python 3.12, as pydantic needs it

from chatgenimage.db.classes import find_unknown_labels
from chatgenimage.db.domains import list_domains
from chatgenimage.db.pagination import list_label_names
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.ranges import OPEN
from chatgenimage.db.ranking import RANKED_BY, Ranking
from chatgenimage.db.runs import get_run
from chatgenimage.db.states import Marked, Origin, Verdict
from chatgenimage.factory.errors import UnknownName
from chatgenimage.factory.settings.arguments import MAX_ID, Count, Id, Texts, checked
from chatgenimage.tasks.filter_rules import REASONS, SCORE_NAMES

MOST_DIGITS = 10
MOST_WORDS = 20
MOST_NAMES = 30
"""An error message lists no more known names than this."""
MOST_LABELS = 10_000
"""The nearest name is looked for among no more labels than this."""
MOST_NEAR = 3
"""An error message offers no more names that begin like the wrong one."""


ANY_VERDICT = "any"
ASCENDING = "asc"
DESCENDING = "desc"
ORDERS = (*RANKED_BY, *SCORE_NAMES)
"""Names of orders, for `factory query --sort`, Python and the gallery."""


Bound = Annotated[float, Field(allow_inf_nan=False)]
Range = tuple[Bound | None, Bound | None]


class Filters(TypedDict, total=False):
    """Keywords that choose candidates; one that is None or left out does not restrict.

    run: The number of a run.
    label: One or several class names that were asked for, compared without case.
    verdict, origin, reason, round: As in the glossary; the verdict "any" does not restrict.
    objects: One or several names that must all be among the annotations.
    object_count: Least and most annotations, both inclusive, None for open.
    object_confidence, object_area_px: Least and greatest value of the objects, both inclusive; of
        those in `objects`, or without it of any one. The area is the mask's, in pixels.
    scores: Least and greatest value by score name, both inclusive, None for open.
    duplicates_of: The id of a candidate; finds its rejected near-duplicates.
    caption: One or several prefixes; with each a word of the caption must begin.
    domain: One or several domains; the candidate is of one of them, compared without case.
    marked: What the newest review says: good, bad or none.
    use_reviews: Whether a review outranks the verdict.
    limit: Most candidates.
    """

    run: Id | None
    label: Texts | None
    verdict: Verdict | str | None
    origin: Origin | str | None
    reason: str | None
    round: Id | None
    objects: Texts | None
    object_count: tuple[Count | None, Count | None] | None
    object_confidence: Range | None
    object_area_px: Range | None
    scores: Mapping[str, Range] | None
    duplicates_of: Id | None
    caption: Texts | None
    domain: Texts | None
    marked: Marked | str | None
    use_reviews: bool
    limit: Count | None


@checked
def make_filter(**asked: Unpack[Filters]) -> CandidateFilter:
    """Return the filter that the keywords ask for.

    Raises:
        UnknownKeyword: If a keyword does not exist.
        SettingsError: If a value is of another kind, or out of its bounds.
        UnknownName: If a verdict, origin, reason, score or review does not exist.
    """
    reason, scores = asked.get("reason"), asked.get("scores") or {}
    if reason is not None:
        check_name("reason", reason, REASONS)
    for name in scores:
        check_name("score", name, SCORE_NAMES)
    verdict, origin, marked = asked.get("verdict"), asked.get("origin"), asked.get("marked")
    verdict = None if verdict == ANY_VERDICT else verdict
    return CandidateFilter(
        run_id=asked.get("run"),
        labels=_several(asked.get("label")),
        verdict=None if verdict is None else Verdict(check_name("verdict", verdict, Verdict)),
        origin=None if origin is None else Origin(check_name("origin", origin, Origin)),
        reason=reason,
        round=asked.get("round"),
        objects=_several(asked.get("objects")),
        object_count=asked.get("object_count") or (None, None),
        object_confidence=asked.get("object_confidence") or OPEN,
        object_area_px=asked.get("object_area_px") or OPEN,
        scores=scores,
        duplicates_of=asked.get("duplicates_of"),
        caption_words=_several(asked.get("caption")),
        domains=_several(asked.get("domain")),
        marked=None if marked is None else Marked(check_name("review", marked, Marked)),
        use_reviews=asked.get("use_reviews", False),
        limit=asked.get("limit"),
    )


def check_stored_names(session: Session, wanted: CandidateFilter) -> None:
    """Check that run, labels and domains of a filter exist: an empty answer would mislead.

    Raises:
        RowNotFound: If there is no such run.
        UnknownName: If the run, or without one no run, was asked for such a label or domain.
    """
    if wanted.run_id is not None:
        get_run(session, wanted.run_id)
    where = "" if wanted.run_id is None else f" of run {wanted.run_id}"
    if wanted.domains:
        known = {name.lower(): name for name in list_domains(session, wanted.run_id)}
        for domain in wanted.domains:
            check_name(f"domain{where}", known.get(domain.lower(), domain), known.values())
    for label in find_unknown_labels(session, wanted.labels, wanted.run_id):
        check_name(f"label{where}", label, list_label_names(session, wanted.run_id, MOST_LABELS))


def check_name(
    kind: str, name: str, known: Iterable[str], refusal: type[UnknownName] = UnknownName
) -> str:
    """Return the name if it is known; else raise the refusal.

    Raises:
        UnknownName: If it is not; the message has the nearest name and the first known ones.
    """
    names = [str(one) for one in known]
    if name in names:
        return name
    near = " or ".join(map(repr, _nearest(name.lower(), names)))
    hint = f" did you mean {near}?" if near else ""
    raise refusal(f"no {kind} is called {name!r};{hint} there are: {shorten_list(names)}.")


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """Return what a name may be the beginning of, else the most similar name, else nothing."""
    longer = [one for one in known if one.lower().startswith(name)] if name else []
    return longer[:MOST_NEAR] or difflib.get_close_matches(name, known, n=1)


def parse_score(text: str) -> tuple[str, float]:
    """Return a score and a finite value of it from a text like "clip_similarity=0.25".

    Raises:
        UnknownName: If the text is not of this form or names no score.
    """
    name, _, value = text.partition("=")
    check_name("score", name, SCORE_NAMES)
    number = _to_float(value)
    if not math.isfinite(number):
        raise UnknownName(f"{text!r} has no number: expected {name}=NUMBER, e.g. {name}=0.25.")
    return name, number


def parse_order(text: str | None) -> Ranking | None:
    """Return the order of a text like "clip_similarity" or "clip_similarity:desc"; None if none.

    Without `:desc` the smallest value is first.

    Raises:
        UnknownName: If there is no such order or direction; says both if both are wrong.
    """
    if text is None:
        return None
    name, colon, direction = text.partition(":")
    problems = []
    asked = [("order", name, ORDERS)]
    if colon:
        asked.append(("direction", direction, (ASCENDING, DESCENDING)))
    for kind, word, known in asked:
        try:
            check_name(kind, word, known)
        except UnknownName as error:
            problems.append(str(error))
    if problems:
        raise UnknownName(" ".join(problems))
    return Ranking(name, is_descending=direction == DESCENDING)


def parse_ranges(least: Iterable[str], most: Iterable[str]) -> dict[str, Range]:
    """Return score ranges from texts like "clip_similarity=0.25".

    Raises:
        UnknownName: If a text is not of this form or names no score.
    """
    lower, upper = dict(map(parse_score, least)), dict(map(parse_score, most))
    return {name: (lower.get(name), upper.get(name)) for name in {**lower, **upper}}


def parse_bound(name: str, text: str | None) -> float | None:
    """Return the bound of a score, None if there is no text.

    Raises:
        UnknownName: If the text is not a number.
    """
    if not text:
        return None
    bound = _to_float(text)
    if math.isnan(bound):
        raise UnknownName(f"{name}={text} is not a number: expected one such as 0.25.")
    return bound


def parse_number(name: str, text: str | None, least: int = 1) -> int | None:
    """Return a whole number from `least` to `MAX_ID`, None if there is no text.

    Raises:
        UnknownName: If the text is not such a number.
    """
    if not text:
        return None
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    if not (is_number and least <= int(text) <= MAX_ID):
        raise UnknownName(f"{name}={text[:40]}: expected an integer from {least} to {MAX_ID}.")
    return int(text)


def split_words(name: str, text: str, separator: str | None = None) -> tuple[str, ...]:
    """Return the words of a text; None: white space separates them.

    Raises:
        UnknownName: If there are more than `MOST_WORDS`, as a database limits its conditions.
    """
    words = tuple(word.strip() for word in text.split(separator) if word.strip())
    if len(words) > MOST_WORDS:
        raise UnknownName(f"{name} has {len(words)} words: expected {MOST_WORDS} at most.")
    return words


def _to_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _several(names: str | Iterable[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def shorten_list(names: Collection[str]) -> str:
    """Return names in one line, the first ones if there are many."""
    shown = ", ".join(list(names)[:MOST_NAMES]) or "none"
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"
