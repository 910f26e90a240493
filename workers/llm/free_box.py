"""Free boxes: a place on an image where Table 1's rules allow a new object."""

import math
import random
from collections.abc import Sequence

from chatgenimage.workers.boxes import MAX_SIDE_PX, REFERENCE_SIDE_PX, placement_problem
from chatgenimage.workers.values import BoxXyxy

ATTEMPTS_PER_BOX = 400
LEAST_SIDE = 0.21
"""Share of the image's side; Table 1 allows 0.15, but a small model cannot paint that small."""


def find_free_box(
    rng: random.Random, taken: Sequence[BoxXyxy], size_wh: tuple[int, int], aspect: float
) -> BoxXyxy | None:
    """Return a box in whole pixels where Table 1 allows one, or None if none was found.

    Starts near the size of its neighbours and shrinks towards the least allowed size. Its shape
    is near `aspect`, width to height in pixels, so that the object fills it.
    """
    least, most = LEAST_SIDE, 0.9 * MAX_SIDE_PX / REFERENCE_SIDE_PX
    sides = [(box[2] - box[0]) / size_wh[0] for box in taken] or [0.4]
    wanted = min(max(sum(sides) / len(sides), 0.3), 0.45)
    shape = aspect * size_wh[1] / size_wh[0]
    for attempt in range(ATTEMPTS_PER_BOX):
        shrunk = wanted + (least - wanted) * attempt / ATTEMPTS_PER_BOX
        extent = [
            min(max(shrunk * stretch * rng.uniform(0.9, 1.1), least), most)
            for stretch in (math.sqrt(shape), 1 / math.sqrt(shape))
        ]
        corner = [rng.uniform(0, 1 - side) for side in extent]
        box = _whole_pixels(corner, extent, size_wh)
        if placement_problem(box, taken, size_wh) is None:
            return box
    return None


def _whole_pixels(
    corner: Sequence[float], extent: Sequence[float], size_wh: tuple[int, int]
) -> BoxXyxy:
    x_min, y_min = (float(int(part * side)) for part, side in zip(corner, size_wh, strict=True))
    width, height = (float(round(part * side)) for part, side in zip(extent, size_wh, strict=True))
    return (x_min, y_min, x_min + width, y_min + height)
