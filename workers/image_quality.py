"""Image hygiene: whether an image is so dark, bright, blank or blurred that nobody wants it."""

from dataclasses import dataclass

import numpy as np

from chatgenimage.workers.values import RgbImage

EXTREMES_PERCENT = (1, 99)
"""What stands for the extremes: a few odd pixels say nothing about an image."""


@dataclass(frozen=True, slots=True)
class Light:
    """How light an image is where it is darkest and where it is brightest.

    Attributes:
        darkest: Luminance below which one percent of the pixels lie, in [0, 1].
        brightest: Luminance above which one percent of the pixels lie, in [0, 1].
    """

    darkest: float
    brightest: float

    @property
    def contrast(self) -> float:
        """Return how far they lie apart: what `skimage.exposure.is_low_contrast` looks at."""
        return self.brightest - self.darkest


def light(image: RgbImage) -> Light:
    """Return the extremes of an image's luminance.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    from skimage.color import rgb2gray

    darkest, brightest = np.percentile(rgb2gray(image), EXTREMES_PERCENT)
    return Light(float(darkest), float(brightest))


def blur(image: RgbImage) -> float:
    """Return how little an image changes when it is blurred once more (Crete et al. 2007).

    Args:
        image: (H, W, 3) uint8 RGB, at least 4 pixels on each side.

    Returns:
        In [0, 1], 1 for one that has nothing left to blur. Images of different sizes cannot be
        compared by it: the blur that is tried is 11 pixels wide.
    """
    from skimage.measure import blur_effect

    return float(blur_effect(image, channel_axis=-1))
