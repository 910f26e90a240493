"""Values of a measurement: labelled images, where they come from, and what a model predicts.

Boxes are pixels of the image, origin top left, the maximum side exclusive.
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import BoxXyxy, RgbImage

NO_DOMAIN = ""
"""Domain of an image whose dataset has no domains."""


class Task(StrEnum):
    """Kind of label that a model learns."""

    CLASSIFY = "classify"
    DETECT = "detect"
    SEGMENT = "segment"


class Augmentation(StrEnum):
    """Traditional augmentation of training images."""

    NONE = "none"
    MILD = "mild"
    """Mirror, colours, and a little shift and scale."""
    STRONG = "strong"
    """The strong recipe of torchvision's references, for long trainings."""


class Source(StrEnum):
    """Source of an image: a real one, or the origin of a synthetic one."""

    REAL = "real"
    GENERATED = "generated"
    EDITED = "edited"
    FILLED = "filled"
    SYNTHETIC = "synthetic"
    """Of a dataset that does not record origins."""


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """One object on an image.

    Attributes:
        rle: Its mask as COCO run-length encoding in the size of the image, None without a mask.
    """

    label: str
    box_xyxy: BoxXyxy
    rle: Rle | None = None


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with its labels.

    Attributes:
        name: Name in messages, e.g. its file name; unique in its set.
        read: Returns the bytes of the image file.
        size_wh: Width and height in pixels.
        objects: Its objects; empty for classification.
        label: Its class, for classification; None if it has none.
        domain: Subset of the test set, e.g. "night".
        source: Real, or how it was made.
        is_accepted: False for a candidate that the filters rejected.
    """

    name: str
    read: Callable[[], bytes] = field(compare=False, repr=False)
    size_wh: tuple[int, int]
    objects: tuple[LabelledObject, ...] = ()
    label: str | None = None
    domain: str = NO_DOMAIN
    source: Source = Source.REAL
    is_accepted: bool = True

    @classmethod
    def of_bytes(
        cls,
        name: str,
        content: bytes,
        size_wh: tuple[int, int],
        objects: Iterable[LabelledObject] = (),
        label: str | None = None,
    ) -> "LabelledImage":
        """Return an image whose file is in memory."""
        return cls(name, partial(bytes, content), size_wh, tuple(objects), label)

    @classmethod
    def of_file(
        cls,
        path: Path,
        size_wh: tuple[int, int],
        objects: Iterable[LabelledObject] = (),
        label: str | None = None,
        name: str | None = None,
    ) -> "LabelledImage":
        """Return an image whose file is on disk."""
        return cls(name or path.name, path.read_bytes, size_wh, tuple(objects), label)

    def to_rgb(self) -> RgbImage:
        """Return its pixels, (H, W, 3) uint8 RGB."""
        with Image.open(io.BytesIO(self.read())) as image:
            return np.asarray(image.convert("RGB"))

    def digest(self) -> str:
        """Return a hash of its pixels' file and labels."""
        known = (self.size_wh, self.objects, self.label, self.domain)
        return hashlib.sha256(self.read() + repr(known).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model predicts for one image.

    Attributes:
        objects: For detection and segmentation, highest confidence first.
        label: For classification.
    """

    objects: tuple["PredictedObject", ...] = ()
    label: str | None = None


@dataclass(frozen=True, slots=True)
class PredictedObject:
    """One object that a model found.

    Attributes:
        confidence: In [0, 1].
        rle: Its mask, only for segmentation.
    """

    label: str
    confidence: float
    box_xyxy: BoxXyxy
    rle: Rle | None = None
