"""Boxes that a model saw: from thousandths of the image, shares or pixels to pixels."""

from collections.abc import Sequence

from chatgenimage.workers.boxes import clip
from chatgenimage.workers.server_config import BoxUnit
from chatgenimage.workers.values import BoxXyxy

THOUSAND = 1000.0
LEAST_SIDE_PX = 2.0


def to_pixels(
    boxes: Sequence[BoxXyxy],
    size_wh: tuple[int, int],
    sent_wh: tuple[int, int],
    unit: BoxUnit = "auto",
) -> list[BoxXyxy | None]:
    """Return boxes in pixels inside the image; None for one that has no area there.

    The question asks for thousandths. With "auto", numbers that are all up to 1 are shares of the
    image, and a number above 1000 means pixels of the image that was sent; smaller pixels look like
    thousandths. Swapped corners are sorted.

    Args:
        boxes: Four numbers each, as the model wrote them; all of one answer.
        size_wh: Size of the image, pixels.
        sent_wh: Size at which the model saw it, pixels.
        unit: In which the model answers.
    """
    if unit == "auto":
        unit = _recognise(boxes)
    width, height = size_wh
    if unit == "pixels":
        scale = (width / sent_wh[0], height / sent_wh[1])
    elif unit == "shares":
        scale = (float(width), float(height))
    else:
        scale = (width / THOUSAND, height / THOUSAND)
    return [_place(box, scale, size_wh) for box in boxes]


def _recognise(boxes: Sequence[BoxXyxy]) -> BoxUnit:
    largest = max((number for box in boxes for number in box), default=0.0)
    if largest > THOUSAND:
        return "pixels"
    return "shares" if largest <= 1 else "thousandths"


def _place(box: BoxXyxy, scale: tuple[float, float], size_wh: tuple[int, int]) -> BoxXyxy | None:
    columns = sorted((box[0] * scale[0], box[2] * scale[0]))
    rows = sorted((box[1] * scale[1], box[3] * scale[1]))
    placed = clip((columns[0], rows[0], columns[1], rows[1]), size_wh)
    sides = placed[2] - placed[0], placed[3] - placed[1]
    return placed if min(sides) >= LEAST_SIDE_PX else None
