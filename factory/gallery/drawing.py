"""Drawing over an image: shapes of its objects, for an SVG overlay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import ImageFont

from chatgenimage.db.models import Candidate
from chatgenimage.db.object_reviews import CorrectedObject, objects_of
from chatgenimage.factory.export.objects import object_of
from chatgenimage.factory.export.outlines import Ring, find_outlines
from chatgenimage.factory.reports.overlay import Colour, colours_of, join_lines, text_colour_on
from chatgenimage.workers import masks
from chatgenimage.workers.values import BoxXyxy

FLIP_AT = 0.6
"""If a box starts to the right of this share of the image, its tag is aligned to its right edge."""
ROOM_ABOVE = 0.12
"""If a box starts above this share of the image, its tag is inside the box: in the list an image is
150 pixels high, and a tag 18."""
TAG_LETTERS, CARD_LETTERS = 32, 14
"""Most letters of a tag, on the page of a candidate and in the list."""
PAGE_PX, CARD_PX = 288, 136
"""Width of an image there on the narrowest phone, in screen pixels: a tag that fits then fits in a
wider image."""
KNOWN_TAGS = 4096
TAG_FONT_PX, TAG_HEIGHT_PX, TAG_PADDING_PX = 13.5, 18, 5


@dataclass(frozen=True, slots=True)
class LabelTag:
    """Position and size of an object's label.

    Attributes:
        left: Position of its anchor corner, in percent of the image; so is `top`.
        x_px: Distance from the anchor to its own corner, in screen pixels; so is `y_px`.
    """

    left: float
    top: float
    x_px: int
    y_px: int
    width_px: int
    height_px: int = TAG_HEIGHT_PX


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """A drawn object.

    Attributes:
        key: Of the object, as `db.object_reviews` names it.
        name: Its whole label; `label` is cut to fit.
        outline: SVG path of its mask in pixels; empty: no mask.
    """

    key: str
    name: str
    label: str
    confidence: float
    is_corrected: bool
    box_xyxy: BoxXyxy
    outline: str
    colour: str
    text_colour: str
    tag: LabelTag


def draw_objects(candidate: Candidate) -> list[ObjectShape]:
    """Return the shapes of a candidate's objects, highest confidence first."""
    return _draw(candidate, TAG_LETTERS, PAGE_PX, has_outline=True)


def draw_boxes(candidate: Candidate) -> list[ObjectShape]:
    """Return the same without outlines, which take time, and with short tags: for the list."""
    return _draw(candidate, CARD_LETTERS, CARD_PX, has_outline=False)


def _draw(
    candidate: Candidate, letters: int, shown_px: int, *, has_outline: bool
) -> list[ObjectShape]:
    found = objects_of(candidate)
    colours = colours_of(sorted({one.label for one in found}))
    shapes = [_to_shape(one, colours, letters, has_outline=has_outline) for one in found]
    return [replace(one, tag=_move_inside(one.tag, shown_px)) for one in shapes]


def _to_shape(
    found: CorrectedObject, colours: Mapping[str, Colour], letters: int, *, has_outline: bool
) -> ObjectShape:
    """Return how an object is drawn: box, outline of the mask, colour and tag."""
    label = _shorten(found.label, letters)
    return ObjectShape(
        key=found.key,
        name=found.label,
        label=label,
        confidence=found.confidence,
        is_corrected=found.is_corrected,
        box_xyxy=found.box_xyxy,
        outline=" ".join(_paths(found)) if has_outline else "",
        colour=_to_hex(colours[found.label]),
        text_colour=_to_hex(text_colour_on(colours[found.label])),
        tag=_to_tag(found, label),
    )


def _to_tag(found: CorrectedObject, label: str) -> LabelTag:
    """Return the place of an object's tag: above the box and from its left, if there is room."""
    x_min, y_min, x_max, _ = found.box_xyxy
    width_px = _tag_width_px(label)
    is_right_aligned = x_min > FLIP_AT * found.image_wh[0]
    is_above = y_min > ROOM_ABOVE * found.image_wh[1]
    return LabelTag(
        left=100 * (x_max if is_right_aligned else x_min) / found.image_wh[0],
        top=100 * y_min / found.image_wh[1],
        x_px=-width_px if is_right_aligned else 0,
        y_px=-TAG_HEIGHT_PX if is_above else 0,
        width_px=width_px,
    )


def _move_inside(tag: LabelTag, shown_px: int) -> LabelTag:
    """Return a tag that neither side of an image cuts, if the image has `shown_px` or more."""
    anchor_px = tag.left * shown_px / 100
    most_px = max(shown_px - tag.width_px, 0)
    left_px = min(max(anchor_px + tag.x_px, 0), most_px)
    return replace(tag, x_px=round(left_px - anchor_px))


@lru_cache(KNOWN_TAGS)
def _tag_width_px(text: str) -> int:
    font = ImageFont.load_default(TAG_FONT_PX)
    return round(font.getlength(text)) + 2 * TAG_PADDING_PX


def _paths(found: CorrectedObject) -> Iterator[str]:
    """Yield the outlines of the whole mask; of a corrected object, of the mask that is exported."""
    if found.annotation is None:
        return  # its mask is its box
    rle = masks.to_rle(found.annotation.rle)
    if found.is_corrected:
        rle = object_of(found, found.label, found.image_wh).rle
    for part in find_outlines(masks.decode(rle)):
        yield from map(_to_path, part)


def _to_path(ring: Ring) -> str:
    corners = " ".join(f"{x} {y}" for x, y in ring.tolist())
    return f"M{corners}Z"


def _shorten(label: str, letters: int) -> str:
    line = join_lines(label)
    return line if len(line) <= letters else f"{line[: letters - 1]}…"


def _to_hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
