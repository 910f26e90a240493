"""Copies between sets: images that are almost equal, by perceptual hash and by pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.values import LabelledImage
from chatgenimage.workers.fingerprints import near_pairs, perceptual_hash

MOST_BITS = 7
"""Of 64 that may differ; saving as JPEG and resizing change fewer."""
THUMBNAIL_PX = 16
MOST_DIFFERENCE = 8.0
"""Mean difference of thumbnails, of 255: other scenes with a similar layout differ more."""

Copies = list[tuple[LabelledImage, LabelledImage]]
"""Images with the image that they repeat."""
_Look = tuple[int, NDArray[np.float32]]
"""Perceptual hash, and thumbnail."""


class CopyFinder:
    """Finds copies; looks at each image once."""

    def __init__(self) -> None:
        self._looks: dict[int, _Look] = {}

    def split(
        self, images: Sequence[LabelledImage], originals: Sequence[LabelledImage]
    ) -> tuple[list[LabelledImage], Copies]:
        """Return the images that repeat no original, and those that do.

        Two images are copies if their perceptual hashes differ in a few bits and their pixels, at
        16 x 16, hardly differ. Mirrored copies are not found.

        Raises:
            BadDataset: If an image cannot be read, or has another size than its labels say.
        """
        first = len(originals)
        looks = [self._look(image) for image in (*originals, *images)]
        copies: dict[int, int] = {}
        for one, other in near_pairs(np.array([look[0] for look in looks], np.uint64), MOST_BITS):
            if one < first <= other and other not in copies:
                difference = np.abs(looks[one][1] - looks[other][1]).mean()
                if difference <= MOST_DIFFERENCE:
                    copies[int(other)] = int(one)
        kept = [image for index, image in enumerate(images, first) if index not in copies]
        return kept, [(images[i - first], originals[copies[i]]) for i in sorted(copies)]

    def _look(self, image: LabelledImage) -> _Look:
        key = id(image)  # the caller keeps the images
        if key not in self._looks:
            self._looks[key] = _look_at(image)
        return self._looks[key]


def _look_at(image: LabelledImage) -> _Look:
    """Return an image's perceptual hash and thumbnail, by which copies are found.

    Raises:
        BadDataset: If it cannot be read, or has another size than its labels are for.
    """
    try:
        pixels = image.to_rgb()
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise BadDataset(f"{image.name} is not an image that can be read: {error}") from error
    height, width = pixels.shape[:2]
    if (width, height) != image.size_wh:
        raise BadDataset(
            f"{image.name} has {width} x {height} pixels, but its labels are for "
            f"{image.size_wh[0]} x {image.size_wh[1]}."
        )
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
    return int(perceptual_hash(pixels), 16), np.asarray(small, np.float32)
