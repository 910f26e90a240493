"""Sample: one candidate with its split, to be exported."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chatgenimage.db.classes import NO_CLASS, class_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate
from chatgenimage.db.object_reviews import objects_of
from chatgenimage.factory.export.classes import ExportClasses
from chatgenimage.factory.export.objects import ExportedObject, SizeWh, object_of
from chatgenimage.factory.export.originals import PNG_SUFFIX, Original, to_upright_png
from chatgenimage.factory.export.records import complete_record
from chatgenimage.factory.query.rows import CandidateRow


@dataclass(frozen=True)
class Sample:
    """One candidate to be exported.

    Writers take objects and size from here, not from the candidate's rows.

    Attributes:
        use_reviews: Whether objects are as people corrected them.
        original: The original file to export instead of the stored image; None: the stored image.
    """

    candidate: Candidate
    split: str
    classes: ExportClasses
    _images: ImageStore = field(repr=False)
    original: Original | None = None
    use_reviews: bool = False

    @property
    def name(self) -> str:
        """Return a file name without ending: unique in the database, free of user text."""
        return f"{self.candidate.id:08d}-{self.candidate.sha256[:12]}"

    @property
    def file_name(self) -> str:
        """Return the name of the image file."""
        return f"{self.name}{self.original.suffix if self.original else PNG_SUFFIX}"

    @property
    def size_wh(self) -> SizeWh:
        """Return the size of the image that `read_image` returns."""
        if self.original:
            return self.original.size_wh
        return self.candidate.width_px, self.candidate.height_px

    @property
    def image_sha256(self) -> str | None:
        """Return the SHA-256 of what `read_image` returns; None if it is not known before."""
        if self.original:
            return self.original.sha256 if self.original.is_copied else None
        return self.candidate.sha256

    @cached_property
    def objects(self) -> tuple[ExportedObject, ...]:
        """Return the objects, highest confidence first; boxes and masks fit `size_wh`."""
        size = self.size_wh
        found = objects_of(self.candidate, use_reviews=self.use_reviews)
        named = ((each, self.classes.of(each.label)) for each in found)
        return tuple(object_of(each, label, size) for each, label in named if label != NO_CLASS)

    @property
    def label(self) -> str:
        """Return the class of the image, `NO_CLASS` if it has none of the export's classes.

        It is the label that was asked for; of a person's picture, or if that label is left out, the
        class of the object with the highest confidence.
        """
        own = self.classes.of(class_of(self.candidate, use_reviews=self.use_reviews))
        if own != NO_CLASS or not self.objects:
            return own
        return self.objects[0].label

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the record of the sample (`records.RECORD`), as JSON values without a null."""
        known = CandidateRow.of(self.candidate, self._images).to_metadata()
        return complete_record(known | {"label": self.label})

    def read_image(self) -> bytes:
        """Return the image file: the original, or else the stored PNG.

        Raises:
            ImageMissing: If it is no longer in the store.
            ImageBroken: If its file is damaged.
            CannotWrite: If the original has changed since the export began.
        """
        return self.original.read() if self.original else self._read_stored()

    def read_png(self) -> bytes:
        """Return the image as PNG, for formats that want one kind of file; raises the same."""
        content = self.read_image()
        return content if self.file_name.endswith(PNG_SUFFIX) else to_upright_png(content)

    def _read_stored(self) -> bytes:
        return self._images.read_bytes(self.candidate.sha256)

    def read_parent(self) -> bytes:
        """Return the stored PNG of the candidate that it was edited or filled from."""
        assert self.candidate.parent is not None  # noqa: S101  # the format has needs_parent
        return self._images.read_bytes(self.candidate.parent.sha256)
