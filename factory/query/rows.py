"""Candidate rows: the one frozen record of a candidate, and the plain values that others show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from chatgenimage.db.classes import class_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.states import Marked, Origin, Verdict
from chatgenimage.factory.query.cards import Card
from chatgenimage.workers.values import RgbImage


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

    def to_record(self) -> dict[str, Any]:
        """Return the object as JSON values."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "box_xyxy": list(self.box_xyxy),
            "area_px": self.area_px,
            "rle": dict(self.rle),
        }


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate with its objects and scores.

    Attributes:
        key: Path of its making within its label, e.g. "b0/g3/e1/f0".
        prompt: The text given to the model.
        negative_prompt: What the image should not show; None: nothing was named.
        domain: The domain that it was made for; None without domains.
        source_name: The file name of a person's picture in its folder.
        source_size_wh: Size of that file's picture, upright; None if it is not known.
        verdict: None if it was not judged yet.
        reason: Why it was rejected.
        duplicate_of_id: The better candidate that it repeats, if it was rejected for that.
        mark: The newest review, None if there is none.
        scores: Values by name.
        image: Path or URL of its PNG.
        created_at: Seconds since the epoch.
        images: The store that has its image.
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
    negative_prompt: str | None
    caption: str | None
    domain: str | None
    source_name: str | None
    source_size_wh: tuple[int | None, int | None]
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
    images: ImageStore = field(repr=False, compare=False)

    @classmethod
    def of(cls, candidate: Candidate, images: ImageStore) -> Self:
        """Return the row of a candidate; nothing else in the project reads its columns into one."""
        return cls(
            id=candidate.id,
            run=candidate.run_id,
            label=class_of(candidate),
            key=candidate.key,
            parent_id=candidate.parent_id,
            origin=Origin(candidate.origin),
            round=candidate.round,
            seed=candidate.seed,
            prompt=candidate.prompt_text,
            negative_prompt=candidate.negative_prompt,
            caption=candidate.caption,
            domain=candidate.domain,
            source_name=candidate.source_name,
            source_size_wh=(candidate.source_width_px, candidate.source_height_px),
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
            images=images,
        )

    def pixels(self) -> RgbImage:
        """Return the image, (H, W, 3) uint8 RGB.

        Raises:
            ImageMissing: If its file is gone.
            ImageBroken: If its file is damaged.
        """
        return self.images.get(self.sha256)

    def to_html(self) -> str:
        """Return the row as a card for a page: a small picture with boxes, verdict and caption."""
        verdict = self.reason or self.verdict or "not judged"
        return Card(
            self.pixels,
            (self.width_px, self.height_px),
            [(f"{one.label} {one.confidence:.2f}", one.box_xyxy) for one in self.annotations],
            (f"{self.id}: {self.label}, {self.origin}, {verdict}", self.caption or self.prompt),
        ).to_html()

    _repr_html_ = to_html

    def to_record(self) -> dict[str, Any]:
        """Return the row as JSON values, as `factory query` prints it; objects by name alone."""
        return {
            "id": self.id,
            "run": self.run,
            "label": self.label,
            "key": self.key,
            "origin": self.origin,
            "round": self.round,
            "verdict": self.verdict,
            "reason": self.reason,
            "duplicate_of": self.duplicate_of_id,
            "mark": self.mark,
            "parent": self.parent_id,
            "seed": self.seed,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "caption": self.caption,
            "source_name": self.source_name,
            "domain": self.domain,
            "objects": [found.label for found in self.annotations],
            "scores": dict(self.scores),
            "image": self.image,
        }

    def to_metadata(self) -> dict[str, Any]:
        """Return what an exported dataset keeps of the row besides its objects, None included."""
        return {
            "candidate_id": self.id,
            "parent_id": self.parent_id,
            "run_id": self.run,
            "label": self.label,
            "origin": self.origin,
            "round": self.round,
            "verdict": self.verdict,
            "mark": self.mark,
            "caption": self.caption,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "source_name": self.source_name,
            "source_width": self.source_size_wh[0],
            "source_height": self.source_size_wh[1],
            "domain": self.domain,
        }
