"""What candidates a program asks for, by keywords, and what it gets: frozen rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self, TypedDict, Unpack

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.queries import CandidateFilter, Range
from chatgenimage.db.states import Marked, Origin, Verdict
from chatgenimage.factory.errors import UnknownName
from chatgenimage.tasks.filter_rules import REASONS, SCORE_NAMES


class Filters(TypedDict, total=False):
    """Which candidates; what is left out does not restrict.

    run: The number of a run.
    label: One or several class names that were asked for, compared without case.
    verdict, origin, reason, round: As the glossary has them.
    objects: One or several names that must all be among the annotations.
    object_count: Least and most annotations, None for open.
    scores: Least and most value by score name, both inclusive, None for open.
    duplicates_of: The id of a candidate that they repeat.
    caption: One or several words with each of which a word of the caption begins.
    marked: What people must say of it: good, bad or none.
    heeds_marks: Whether a mark outranks the verdict.
    limit: Most candidates.
    """

    run: int
    label: str | Sequence[str]
    verdict: Verdict | str
    origin: Origin | str
    reason: str
    round: int
    objects: str | Sequence[str]
    object_count: tuple[int | None, int | None]
    scores: Mapping[str, Range]
    duplicates_of: int
    caption: str | Sequence[str]
    marked: Marked | str
    heeds_marks: bool
    limit: int


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """One object.

    Attributes:
        box_xyxy: In pixels, the maximum side exclusive.
        rle: The mask in COCO's run-length encoding: {"size": [height, width], "counts": str}.
        area_px: Of the mask.
    """

    label: str
    confidence: float
    box_xyxy: tuple[float, float, float, float]
    area_px: int
    rle: Mapping[str, Any]

    @classmethod
    def of(cls, annotation: Annotation) -> Self:
        """Return the row of an annotation."""
        return cls(
            annotation.label,
            annotation.confidence,
            annotation.box_xyxy,
            annotation.area_px,
            MappingProxyType(annotation.rle),
        )


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate with its objects and scores.

    Attributes:
        key: Path of its making within its label, e.g. "b0/g3/e1/f0".
        prompt: What the model was told.
        source_name: What a person's picture was called in its folder.
        verdict: None if it was not judged yet.
        reason: Why it was rejected.
        duplicate_of_id: The better candidate that it repeats, if it was rejected for that.
        mark: What people say of it, None if nothing.
        scores: Values by name.
        image: Where its PNG lies.
        created_at: Seconds since the epoch.
    """

    id: int
    run: int
    label: str
    key: str
    parent_id: int | None
    origin: Origin
    round: int
    seed: int
    prompt: str
    caption: str | None
    source_name: str | None
    verdict: Verdict | None
    reason: str | None
    duplicate_of_id: int | None
    mark: Marked | None
    width_px: int
    height_px: int
    sha256: str
    image: str
    created_at: float
    scores: Mapping[str, float]
    annotations: tuple[AnnotationRow, ...]

    @classmethod
    def of(cls, candidate: Candidate, images: ImageStore) -> Self:
        """Return the row of a candidate."""
        return cls(
            id=candidate.id,
            run=candidate.run_id,
            label=candidate.label.name,
            key=candidate.key,
            parent_id=candidate.parent_id,
            origin=Origin(candidate.origin),
            round=candidate.round,
            seed=candidate.seed,
            prompt=candidate.prompt_text,
            caption=candidate.caption,
            source_name=candidate.source_name,
            verdict=Verdict(candidate.verdict) if candidate.verdict else None,
            reason=candidate.reason,
            duplicate_of_id=candidate.duplicate_of_id,
            mark=candidate.mark,
            width_px=candidate.width_px,
            height_px=candidate.height_px,
            sha256=candidate.sha256,
            image=images.path_of(candidate.sha256),
            created_at=candidate.created_at,
            scores=MappingProxyType({score.name: score.value for score in candidate.scores}),
            annotations=tuple(map(AnnotationRow.of, candidate.annotations)),
        )


def make_filter(**asked: Unpack[Filters]) -> CandidateFilter:
    """Return the filter that the keywords ask for.

    Raises:
        UnknownName: If a verdict, origin, reason, score or mark is none of ours.
    """
    reason, scores = asked.get("reason"), asked.get("scores") or {}
    if reason is not None:
        check_name("reason", reason, REASONS)
    for name in scores:
        check_name("score", name, SCORE_NAMES)
    verdict, origin, marked = asked.get("verdict"), asked.get("origin"), asked.get("marked")
    return CandidateFilter(
        run_id=asked.get("run"),
        labels=_several(asked.get("label")),
        verdict=None if verdict is None else Verdict(check_name("verdict", verdict, Verdict)),
        origin=None if origin is None else Origin(check_name("origin", origin, Origin)),
        reason=reason,
        round=asked.get("round"),
        objects=_several(asked.get("objects")),
        object_count=asked.get("object_count", (None, None)),
        scores=scores,
        duplicates_of=asked.get("duplicates_of"),
        caption_words=_several(asked.get("caption")),
        marked=None if marked is None else Marked(check_name("mark", marked, Marked)),
        heeds_marks=asked.get("heeds_marks", False),
        limit=asked.get("limit"),
    )


def check_name(kind: str, name: str, known: Sequence[str] | type[Verdict | Origin | Marked]) -> str:
    """Return the name if it is known.

    Raises:
        UnknownName: If it is not: an empty answer would look like a true one.
    """
    names = [str(one) for one in known]
    if name not in names:
        raise UnknownName(f"no {kind} is called {name!r}; there are: {', '.join(names)}.")
    return name


def parse_score(text: str) -> tuple[str, float]:
    """Return a score and a value of it from a text like "clip_similarity=0.25".

    Raises:
        UnknownName: If the text is not of this form or names no score.
    """
    name, _, value = text.partition("=")
    check_name("score", name, SCORE_NAMES)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UnknownName(f"{text!r} has no number: expected {name}=NUMBER, e.g. {name}=0.25.")
    return name, number


def _several(names: str | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)
