"""A sample: one candidate with its split, on its way into a dataset."""

from dataclasses import dataclass, field

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate


@dataclass(frozen=True, slots=True)
class Sample:
    """One candidate on its way into a dataset."""

    candidate: Candidate
    split: str
    _images: ImageStore = field(repr=False)

    @property
    def name(self) -> str:
        """Return a name for files that is unique in the database and free of what people typed."""
        return f"{self.candidate.id:08d}-{self.candidate.sha256[:12]}"

    @property
    def file_name(self) -> str:
        """Return the name of the image file."""
        return f"{self.name}.png"

    def read_image(self) -> bytes:
        """Return the stored PNG.

        Raises:
            ImageMissing: If it is no longer in the store; so is ImageBroken raised.
        """
        return self._images.read_bytes(self.candidate.sha256)

    def read_parent(self) -> bytes:
        """Return the stored PNG of what it was edited or filled from."""
        assert self.candidate.parent is not None  # noqa: S101  # a format says that it needs one
        return self._images.read_bytes(self.candidate.parent.sha256)
