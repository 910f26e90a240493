"""What every format shares: what is exported, one sample of it, and what a writer must do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.sample import Sample
from chatgenimage.workers.masks import Rle

Masks = Literal["rle", "polygons"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a writer knows before the first sample comes.

    Attributes:
        classes: Labels that were asked for or found; the place in the list is the class id.
        counts: How many samples each split gets; a split that gets none is left out.
        made_at: When the newest image was made, in epoch seconds.
    """

    classes: tuple[str, ...]
    counts: Mapping[str, int]
    masks: Masks
    made_at: float
    out_name: str

    def class_ids(self) -> dict[str, int]:
        """Return the number of each class, from 0."""
        return {label: index for index, label in enumerate(self.classes)}


class Writer(Protocol):
    """Takes samples one by one and keeps none of them in memory."""

    def add(self, sample: Sample) -> None:
        """Write one sample."""
        ...

    def close(self) -> None:
        """Write what could not be written before the last sample was known."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format in the registry.

    Attributes:
        name: What `factory export` calls it.
        title: What people call it.
        open: Makes a writer into a folder.
        reading: How to read it, as lines of Python; `{out}` is the folder.
        masks: How it can write masks.
        modules: Optional libraries that it writes with.
        needs_parent: Whether it takes edits and fills only.
        hub: What the hub is to know of it, in the front matter of the dataset card.
    """

    name: str
    title: str
    open: Callable[[Folder, Plan], Writer]
    reading: str
    masks: tuple[Masks, ...] = ()
    modules: tuple[str, ...] = ()
    needs_parent: bool = False
    hub: Callable[[Plan], Mapping[str, Any]] | None = None


def box_xywh(annotation: Annotation) -> list[float]:
    """Return a box as COCO has it: corner and size, in pixels."""
    x_min, y_min, x_max, y_max = annotation.box_xyxy
    return [x_min, y_min, x_max - x_min, y_max - y_min]


def rle_of(annotation: Annotation) -> Rle:
    """Return the mask as COCO's run-length encoding."""
    return Rle(size=annotation.rle["size"], counts=annotation.rle["counts"])


def facts(candidate: Candidate) -> dict[str, Any]:
    """Return what is known of an image besides its objects."""
    return {
        "candidate_id": candidate.id,
        "parent_id": candidate.parent_id,
        "run_id": candidate.run_id,
        "label": candidate.label.name,
        "origin": candidate.origin,
        "round": candidate.round,
        "verdict": candidate.verdict,
        "mark": candidate.mark,
        "caption": candidate.caption,
        "prompt": candidate.prompt_text,
        "source_name": candidate.source_name,
    }


def objects_in_columns(annotations: list[Annotation]) -> dict[str, list[Any]]:
    """Return objects as the hub's datasets have them: a list for each property."""
    columns: dict[str, list[Any]] = {
        "id": [],
        "bbox": [],
        "category": [],
        "area": [],
        "score": [],
        "segmentation": [],
    }
    for annotation in annotations:
        for name, value in _properties(annotation):
            columns[name].append(value)
    return columns


def _properties(annotation: Annotation) -> Iterator[tuple[str, Any]]:
    yield "id", annotation.id
    yield "bbox", box_xywh(annotation)
    yield "category", annotation.label
    yield "area", annotation.area_px
    yield "score", annotation.confidence
    yield "segmentation", dict(rle_of(annotation))
