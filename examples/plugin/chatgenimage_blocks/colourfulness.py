"""A filter rule: images that are nearly grey are rejected."""

import numpy as np

from chatgenimage.tasks.rule import ImageRule, RuleInput

LEAST = 5.0
"""Photographs have 20 to 60; a grey one has 0."""


def measure(shown: RuleInput) -> float:
    """Return how colourful an image is (Hasler and Suesstrunk 2003)."""
    red, green, blue = (shown.image[..., channel].astype(float) for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


COLOURFULNESS = ImageRule("colourfulness", "colourless", threshold=LEAST, measure=measure)
