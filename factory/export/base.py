"""Base of the formats: the plan of an export, the writer protocol and shared fields."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.trainers import TrainerGuide

Masks = Literal["rle", "polygons", "none"]
Validation = Literal["optional", "required", "from train"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Facts that a writer gets before the first sample.

    Attributes:
        classes: Labels that were requested or detected; the index in the list is the class id.
        counts: Number of samples per split, without empty splits.
        splits_with_objects: Splits of which at least one sample has an object.
        made_at: When the newest image was created, in epoch seconds.
    """

    classes: tuple[str, ...]
    counts: Mapping[str, int]
    masks: Masks
    made_at: float
    out_name: str
    splits_with_objects: AbstractSet[str] = frozenset()

    def class_ids(self) -> dict[str, int]:
        """Return the number of each class, from 0."""
        return {label: index for index, label in enumerate(self.classes)}


class Writer(Protocol):
    """Writes samples one by one and keeps none of them in memory."""

    def add(self, sample: Sample) -> None:
        """Write one sample."""
        ...

    def close(self) -> None:
        """Write the parts that depend on all samples."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format in the registry.

    Attributes:
        name: Its name for `factory export`.
        title: Its usual name.
        open: Creates a writer for a folder.
        reading: Python code that reads it; `{out}` is the folder.
        trainers: Commands of trainers that take it as it is.
        splits: Splits if none are asked for, as `--splits` takes them.
        validation: What its trainers need: "required", images in train and val; "from train", the
            same, but the images of train can be named as val.
        masks: Mask encodings that it supports, the first by default.
        modules: Optional libraries that it needs.
        needs_parent: Whether it contains only edits and fills.
        hub: Its entries for the hub, in the front matter of the dataset card.
    """

    name: str
    title: str
    open: Callable[[Folder, Plan], Writer]
    reading: str
    trainers: tuple[TrainerGuide, ...] = ()
    splits: str = "train=1"
    validation: Validation = "optional"
    masks: tuple[Masks, ...] = ()
    modules: tuple[str, ...] = ()
    needs_parent: bool = False
    hub: Callable[[Plan], Mapping[str, Any]] | None = None


def objects_in_columns(objects: Iterable[ExportedObject]) -> dict[str, list[Any]]:
    """Return objects in the form of the hub's datasets: one list per property."""
    columns: dict[str, list[Any]] = {
        "id": [],
        "bbox": [],
        "category": [],
        "area": [],
        "score": [],
        "segmentation": [],
    }
    for found in objects:
        for name, value in _properties(found):
            columns[name].append(value)
    return columns


def _properties(found: ExportedObject) -> Iterator[tuple[str, Any]]:
    yield "id", found.id
    yield "bbox", found.box_xywh
    yield "category", found.label
    yield "area", found.area_px
    yield "score", found.confidence
    yield "segmentation", dict(found.rle)
