"""Crop zoom: cut out and enlarge the surroundings of a mask, and paste the result back.

Called `padding_mask_crop` in diffusers: a small object is painted better, and inside its mask, if
the image is cropped so that the object fills most of it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from chatgenimage.workers import masks
from chatgenimage.workers.values import Mask, RgbImage

MARGIN_PX = 1


@dataclass(frozen=True, slots=True)
class Zoom:
    """A part of an image with the image's proportions, enlarged to the image's size."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def on(cls, mask: Mask, share: float) -> Self:
        """Return the zoom in which the masked part takes `share` of the longer side.

        Args:
            mask: (H, W) bool; not empty.
            share: In (0, 1]; if the part would be larger than the image, it is the whole image.
        """
        height, width = mask.shape
        box = masks.find_box(mask)
        if box is None:
            return cls(0, 0, width, height)
        x_min, y_min, x_max, y_max = box
        tight = max(
            (x_max - x_min + 2 * MARGIN_PX) / width, (y_max - y_min + 2 * MARGIN_PX) / height
        )
        wanted = max((x_max - x_min) / width, (y_max - y_min) / height) / share
        scale = min(max(tight, wanted), 1.0)
        size_w, size_h = round(width * scale), round(height * scale)
        left = round((x_min + x_max - size_w) / 2)
        top = round((y_min + y_max - size_h) / 2)
        return cls(
            min(max(left, 0), width - size_w), min(max(top, 0), height - size_h), size_w, size_h
        )

    def enlarge(self, image: RgbImage) -> RgbImage:
        """Return the part at the size of the whole image."""
        return _resize(self._cut(image), image.shape[:2], Image.Resampling.BICUBIC)

    def enlarge_mask(self, mask: Mask) -> Mask:
        """Return the enlarged part of a mask; a pixel that is partly covered is set."""
        part = Image.fromarray(self._cut(mask).astype(np.uint8) * 255)
        height, width = mask.shape
        return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR)) > 0

    def put_back(self, painted: RgbImage, image: RgbImage) -> RgbImage:
        """Return the image with its part replaced by the painted, full-size version."""
        result = image.copy()
        small = _resize(painted, (self.height, self.width), Image.Resampling.LANCZOS)
        self._cut(result)[...] = small
        return result

    def _cut(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


def _resize(image: RgbImage, shape_hw: tuple[int, ...], resampling: Image.Resampling) -> RgbImage:
    height, width = shape_hw
    return np.asarray(Image.fromarray(image).resize((width, height), resampling))
