"""Sample: one candidate with its split, to be exported."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chatgenimage.db.classes import NO_CLASS, class_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate
from chatgenimage.factory.export.classes import ExportClasses
from chatgenimage.factory.export.objects import ExportedObject, object_of
from chatgenimage.factory.export.records import complete
from chatgenimage.factory.query.rows import CandidateRow

SizeWh = tuple[int, int]
"""Width and height of an image in pixels."""


@dataclass(frozen=True)
class Sample:
    """One candidate to be exported.

    Writers take objects and size from here, not from the candidate's rows.
    """

    candidate: Candidate
    split: str
    classes: ExportClasses
    _images: ImageStore = field(repr=False)

    @property
    def name(self) -> str:
        """Return a file name without ending: unique in the database, free of user text."""
        return f"{self.candidate.id:08d}-{self.candidate.sha256[:12]}"

    @property
    def file_name(self) -> str:
        """Return the name of the image file."""
        return f"{self.name}.png"

    @property
    def size_wh(self) -> SizeWh:
        """Return the size of the image that `read_image` returns."""
        return self.candidate.width_px, self.candidate.height_px

    @cached_property
    def objects(self) -> tuple[ExportedObject, ...]:
        """Return the objects, highest confidence first; boxes and masks fit `size_wh`."""
        found = ((each, self.classes.of(each.label)) for each in self.candidate.annotations)
        return tuple(object_of(each, label) for each, label in found if label != NO_CLASS)

    @property
    def label(self) -> str:
        """Return the class of the image, `NO_CLASS` if it has none of the export's classes.

        It is the label that was asked for; of a person's picture, or if that label is left out, the
        class of the object with the highest confidence.
        """
        own = self.classes.of(class_of(self.candidate))
        if own != NO_CLASS or not self.objects:
            return own
        return self.objects[0].label

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the record of the sample (`records.RECORD`), as JSON values without a null."""
        known = CandidateRow.of(self.candidate, self._images).to_metadata()
        return complete(known | {"label": self.label})

    def read_image(self) -> bytes:
        """Return the stored PNG.

        Raises:
            ImageMissing: If it is no longer in the store.
            ImageBroken: If its file is damaged.
        """
        return self._images.read_bytes(self.candidate.sha256)

    def read_parent(self) -> bytes:
        """Return the stored PNG of the candidate that it was edited or filled from."""
        assert self.candidate.parent is not None  # noqa: S101  # the format has needs_parent
        return self._images.read_bytes(self.candidate.parent.sha256)
