"""Image quality: find images that are too dark, too bright, blank or blurred."""

from dataclasses import dataclass

import numpy as np

from chatgenimage.workers.values import RgbImage

EXTREMES_PERCENT = (1, 99)
"""Percentiles used as darkest and brightest, so that a few outlier pixels do not count."""


@dataclass(frozen=True, slots=True)
class BrightnessRange:
    """Luminance of the darkest and of the brightest part of an image.

    Attributes:
        darkest: 1st percentile of the luminance, in [0, 1].
        brightest: 99th percentile of the luminance, in [0, 1].
    """

    darkest: float
    brightest: float

    @property
    def contrast(self) -> float:
        """Return their difference, the measure of `skimage.exposure.is_low_contrast`."""
        return self.brightest - self.darkest


def light(image: RgbImage) -> BrightnessRange:
    """Return the luminance of an image's darkest and brightest parts.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    from skimage.color import rgb2gray

    darkest, brightest = np.percentile(rgb2gray(image), EXTREMES_PERCENT)
    return BrightnessRange(float(darkest), float(brightest))


def blur(image: RgbImage) -> float:
    """Return how blurred an image is, by blurring it once more (Crete et al. 2007).

    Args:
        image: (H, W, 3) uint8 RGB, at least 4 pixels on each side.

    Returns:
        In [0, 1]; 1 for an image that blurring does not change. Images of different sizes cannot
        be compared: the filter is 11 pixels wide.
    """
    from skimage.measure import blur_effect

    return float(blur_effect(image, channel_axis=-1))
