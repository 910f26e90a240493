"""Boxes that a model saw: from thousandths of the image, shares or pixels to pixels."""

from collections.abc import Sequence

from chatgenimage.workers.boxes import clip
from chatgenimage.workers.values import BoxXyxy

THOUSAND = 1000.0
LEAST_SIDE_PX = 2.0


def to_pixels(boxes: Sequence[BoxXyxy], size_wh: tuple[int, int]) -> list[BoxXyxy | None]:
    """Return boxes in pixels inside the image; None for one that has no area there.

    The question asks for thousandths. All numbers up to 1 are shares of the image; a number above
    1000 means pixels. Swapped corners are sorted.

    Args:
        boxes: Four numbers each, as the model wrote them; all of one answer.
        size_wh: Size of the image, pixels.
    """
    largest = max((number for box in boxes for number in box), default=0.0)
    width, height = size_wh
    if largest > THOUSAND:
        scale = (1.0, 1.0)
    elif largest <= 1:
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
