"""A canvas of another shape: an image is padded to the shape that a server paints, and cut out."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from chatgenimage.workers.values import Mask, RgbImage


@dataclass(frozen=True, slots=True)
class Canvas:
    """The place of an image on a canvas of the wanted aspect.

    Attributes:
        size_wh: Size of the canvas, at least the image's.
        left: Columns before the image.
        top: Rows above the image.
    """

    size_wh: tuple[int, int]
    left: int
    top: int

    @classmethod
    def around(cls, image: RgbImage, wanted_wh: tuple[int, int] | None) -> Self:
        """Return the smallest canvas around an image that has the aspect of `wanted_wh`.

        Args:
            image: (H, W, 3) uint8 RGB.
            wanted_wh: Any size of the wanted aspect; None: the image's own.
        """
        height, width = image.shape[:2]
        if wanted_wh is None:
            return cls((width, height), 0, 0)
        wider, higher = wanted_wh
        full_width = max(width, round(height * wider / higher))
        full_height = max(height, round(width * higher / wider))
        left, top = (full_width - width) // 2, (full_height - height) // 2
        return cls((full_width, full_height), left, top)

    def put(self, image: RgbImage) -> RgbImage:
        """Return the canvas with the image; its edge is repeated around it."""
        return np.pad(image, [*self._margins(image), (0, 0)], mode="edge")

    def put_mask(self, mask: Mask) -> Mask:
        """Return the canvas with the mask; nothing around it is repainted."""
        return np.pad(mask, self._margins(mask))

    def cut(self, painted: RgbImage, shape_hw: tuple[int, ...]) -> RgbImage:
        """Return the image's part of a painted canvas of any size, in the image's own size."""
        height, width = shape_hw[:2]
        if painted.shape[:2] != self.size_wh[::-1]:
            scaled = Image.fromarray(painted).resize(self.size_wh, Image.Resampling.LANCZOS)
            painted = np.array(scaled)
        return painted[self.top : self.top + height, self.left : self.left + width].copy()

    def _margins(self, image: RgbImage | Mask) -> list[tuple[int, int]]:
        height, width = image.shape[:2]
        full_width, full_height = self.size_wh
        return [
            (self.top, full_height - height - self.top),
            (self.left, full_width - width - self.left),
        ]
