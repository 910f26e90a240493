"""Boxes that a model saw: from thousandths of the image, shares or pixels to pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatgenimage.workers.boxes import clip
from chatgenimage.workers.server_config import BoxUnit
from chatgenimage.workers.values import BoxXyxy

THOUSAND = 1000.0
LEAST_SIDE_PX = 2.0
BEYOND = 0.02
"""Share of a side by which boxes may end outside of the image."""
ALIKE = 0.05
"""Difference of a side from 1000 pixels at which the unit hardly matters."""


@dataclass(frozen=True, slots=True)
class UnitGuess:
    """The unit in which an answer has its boxes.

    Attributes:
        unit: "thousandths", "shares" or "pixels".
        is_certain: Whether the numbers say so; else it is the unit that was asked for.
    """

    unit: BoxUnit
    is_certain: bool


def recognise_unit(boxes: Sequence[BoxXyxy], sent_wh: tuple[int, int]) -> UnitGuess:
    """Return the unit of an answer's boxes, which are asked for in thousandths.

    Numbers that are all up to 1 are shares. A number outside of the image that was sent is not a
    pixel, and one above 1000 is not a thousandth. Of numbers that may be both, the largest decides:
    if it is the edge of the image, they are pixels, because objects often reach to the edge.

    Args:
        boxes: Four numbers each, as the model wrote them; all of one answer.
        sent_wh: Size at which the model saw the image, pixels.
    """
    largest = [max((max(box[axis], box[axis + 2]) for box in boxes), default=0) for axis in (0, 1)]
    if max(largest) <= 1:
        return UnitGuess("shares", is_certain=True)
    sides = list(zip(largest, sent_wh, strict=True))
    may_be_pixels = all(number <= side * (1 + BEYOND) + 1 for number, side in sides)
    may_be_thousandths = max(largest) <= THOUSAND * (1 + BEYOND)
    if not may_be_pixels:
        return UnitGuess("thousandths" if may_be_thousandths else "pixels", may_be_thousandths)
    if max(largest) > THOUSAND:
        return UnitGuess("pixels", is_certain=True)
    if all(abs(side - THOUSAND) <= ALIKE * THOUSAND for side in sent_wh):
        return UnitGuess("thousandths", is_certain=True)
    if any(abs(number - side) <= 1 and side != THOUSAND for number, side in sides):
        return UnitGuess("pixels", is_certain=True)
    return UnitGuess("thousandths", is_certain=False)


def to_pixels(
    boxes: Sequence[BoxXyxy], size_wh: tuple[int, int], sent_wh: tuple[int, int], unit: BoxUnit
) -> list[BoxXyxy | None]:
    """Return boxes in pixels inside the image; None for one that has no area there.

    Swapped corners are sorted.

    Args:
        boxes: Four numbers each, as the model wrote them.
        size_wh: Size of the image, pixels.
        sent_wh: Size at which the model saw it, pixels.
        unit: In which the model answers; not "auto".
    """
    width, height = size_wh
    if unit == "pixels":
        scale = (width / sent_wh[0], height / sent_wh[1])
    elif unit == "shares":
        scale = (float(width), float(height))
    else:
        scale = (width / THOUSAND, height / THOUSAND)
    return [_place(box, scale, size_wh) for box in boxes]


def _place(box: BoxXyxy, scale: tuple[float, float], size_wh: tuple[int, int]) -> BoxXyxy | None:
    columns = sorted((box[0] * scale[0], box[2] * scale[0]))
    rows = sorted((box[1] * scale[1], box[3] * scale[1]))
    placed = clip((columns[0], rows[0], columns[1], rows[1]), size_wh)
    sides = placed[2] - placed[0], placed[3] - placed[1]
    return placed if min(sides) >= LEAST_SIDE_PX else None
