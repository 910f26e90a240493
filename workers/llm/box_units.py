"""Units of boxes: pixels at 512, shares of the image, or thousandths, recognised from an answer.

The question asks for [x_min, y_min, x_max, y_max] in pixels of a 512 x 512 image. Models that were
trained to ground objects answer in the unit of their training instead.
"""

from collections.abc import Callable, Sequence

from chatgenimage.workers.boxes import (
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    REFERENCE_SIDE_PX,
    placement_problem,
)
from chatgenimage.workers.values import BoxXyxy

REFERENCE_SIZE_WH = (REFERENCE_SIDE_PX, REFERENCE_SIDE_PX)
THOUSAND = 1000
SURELY_NO_PIXELS = 1.25 * REFERENCE_SIDE_PX
"""A number above this is not a pixel that was a little outside of the image."""
RULES = {
    "too_small": f"its width and height must be greater than {MIN_SIDE_PX}",
    "too_large": f"its width and height must be less than {MAX_SIDE_PX}",
    "outside_image": "it must be inside the image",
    "overlaps_object": "it must not overlap an existing box",
}
FORMAT = (
    "boxes must be [x_min, y_min, x_max, y_max] in pixels of an image of "
    f"{REFERENCE_SIDE_PX} x {REFERENCE_SIDE_PX}"
)


def to_reference(boxes: Sequence[BoxXyxy]) -> list[BoxXyxy]:
    """Return boxes as xyxy in pixels at 512, whatever unit and order they were written in.

    All boxes of one answer are in the same unit and order. What is not certain stays as written.

    Args:
        boxes: Four numbers each, as the model wrote them.
    """
    scale = _scale(boxes)
    scaled = [_each(box, lambda number: number * scale) for box in boxes]
    if any(_fits(box) for box in scaled):
        return scaled
    readings = [_corners_sorted(scaled), [_from_xywh(box) for box in scaled]]
    fitting = [reading for reading in readings if reading and all(map(_fits, reading))]
    return fitting[0] if len(fitting) == 1 else scaled


def placements_problem(boxes: Sequence[BoxXyxy], existing: Sequence[BoxXyxy]) -> str | None:
    """Return why none of the boxes can be used, for the model to read; None if one can.

    Args:
        boxes: Pixels at 512.
        existing: Boxes of the objects that are there, in the same pixels.
    """
    problems = [placement_problem(box, existing, REFERENCE_SIZE_WH) for box in boxes]
    if None in problems or not boxes:
        return None
    lines = [
        f"the box [{', '.join(f'{edge:g}' for edge in box)}] cannot be used: {RULES[problem]}"
        for box, problem in dict(zip(boxes, problems, strict=True)).items()
        if problem
    ]
    return f"{'; '.join(lines[:3])}. All {FORMAT}"


def _scale(boxes: Sequence[BoxXyxy]) -> float:
    numbers = [number for box in boxes for number in box]
    if not numbers or min(numbers) < 0:
        return 1.0
    if max(numbers) <= 1:
        return float(REFERENCE_SIDE_PX)
    if SURELY_NO_PIXELS < max(numbers) <= THOUSAND:
        return REFERENCE_SIDE_PX / THOUSAND
    return 1.0


def _fits(box: BoxXyxy) -> bool:
    return placement_problem(box, (), REFERENCE_SIZE_WH) is None


def _corners_sorted(boxes: Sequence[BoxXyxy]) -> list[BoxXyxy]:
    """Return the boxes with their corners in order if all are swapped, else none."""
    if not all(box[0] > box[2] or box[1] > box[3] for box in boxes):
        return []
    return [
        (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
        for box in boxes
    ]


def _from_xywh(box: BoxXyxy) -> BoxXyxy:
    x_min, y_min, width, height = box
    return (x_min, y_min, x_min + width, y_min + height)


def _each(box: BoxXyxy, change: Callable[[float], float]) -> BoxXyxy:
    return (change(box[0]), change(box[1]), change(box[2]), change(box[3]))
