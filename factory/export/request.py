"""Request for an export, and its result."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from chatgenimage.db.queries import CandidateFilter
from chatgenimage.factory.export.base import Format, Masks
from chatgenimage.factory.export.class_choice import ClassChoice
from chatgenimage.factory.export.formats import get_format
from chatgenimage.factory.export.splits import Splits, parse_splits
from chatgenimage.factory.wording import counted


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A request for an export.

    Attributes:
        out_dir: The folder to create.
        command: The command that repeats it.
        originals: Folders with the files of imported pictures, which are exported instead of their
            stored copies; boxes are in their pixels.
        overwrite: Whether an earlier export may be replaced.
        strict_splits: Whether to refuse if a split has no image or lacks a label.
    """

    format: Format
    out_dir: Path
    wanted: CandidateFilter
    splits: Splits = field(default_factory=Splits)
    masks: Masks | None = None
    classes: ClassChoice = field(default_factory=ClassChoice)
    originals: tuple[Path, ...] = ()
    command: str = ""
    overwrite: bool = False
    strict_splits: bool = False

    @classmethod
    def of(  # what a person can choose
        cls,
        format_name: str,
        out_dir: Path,
        wanted: CandidateFilter,
        *,
        splits: str | None,
        seed: int,
        **others: Any,  # noqa: ANN401  # further attributes
    ) -> Self:
        """Return the request for choices as a person writes them.

        Args:
            format_name: Of the registry.
            out_dir: The folder to create.
            wanted: The candidates.
            splits: As `parse_splits` takes them; None: those of the format.
            seed: Of the splits.
            others: Further attributes.

        Raises:
            UnknownName: If there is no such format.
            SettingsError: If the splits have another form.
        """
        known = get_format(format_name)
        return cls(
            format=known,
            out_dir=out_dir,
            wanted=wanted,
            splits=parse_splits(known.splits if splits is None else splits, seed),
            **others,
        )


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Result of an export.

    Attributes:
        splits: Number of images of each split, 0 for a split that got none.
        shares: Share of the images of each split, in [0, 1].
        gaps: A sentence for each split that has no image or lacks labels.
        lacking: Labels that a split has no image or no object of, by split.
        left_out_objects: Number of objects of classes that were not chosen, by label.
        left_out_images: Number of images of other classes without a chosen one.
        missing_originals: Number of pictures whose original file is not available.
        notes: What else a person should know, a sentence each.
    """

    folder: Path
    format: str
    images: int
    annotations: int
    classes: int
    splits: dict[str, int]
    shares: dict[str, float]
    lacking: dict[str, tuple[str, ...]]
    left_out_objects: dict[str, int]
    left_out_images: int
    missing_originals: int
    notes: tuple[str, ...]
    gaps: tuple[str, ...]

    def __str__(self) -> str:
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        annotations = counted(self.annotations, "annotation")
        classes = counted(self.classes, "class", "classes")
        images = counted(self.images, "image")
        summary = f"{self.folder}: {images} ({splits}), {annotations}, {classes}"
        return "\n".join([summary, *self.notes, *self.gaps])
