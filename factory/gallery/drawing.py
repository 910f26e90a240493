"""Drawing over an image: shapes of its objects, for an SVG overlay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageFont

from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.factory.export.outlines import Ring, find_outlines
from chatgenimage.factory.reports.overlay import Colour, colours_of, join_lines, text_colour_on
from chatgenimage.workers import masks
from chatgenimage.workers.values import BoxXyxy

FLIP_AT = 0.6
"""If a box starts to the right of this share of the image, its tag is aligned to its right edge."""
ROOM_ABOVE = 0.06
"""If a box starts above this share of the image, its tag is inside the box."""
TAG_LETTERS = 32
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
        outline: SVG path of its mask in pixels; empty: no mask.
    """

    label: str
    confidence: float
    box_xyxy: BoxXyxy
    outline: str
    colour: str
    text_colour: str
    tag: LabelTag


def draw_objects(candidate: Candidate) -> list[ObjectShape]:
    """Return the shapes of a candidate's objects, highest confidence first."""
    colours = colours_of(sorted({one.label for one in candidate.annotations}))
    return [_to_shape(candidate, one, colours) for one in candidate.annotations]


def draw_boxes(candidate: Candidate) -> list[ObjectShape]:
    """Return the same without outlines, which take time: for pages with many images."""
    colours = colours_of(sorted({one.label for one in candidate.annotations}))
    return [_to_shape(candidate, one, colours, has_outline=False) for one in candidate.annotations]


def _to_shape(
    candidate: Candidate,
    found: Annotation,
    colours: Mapping[str, Colour],
    *,
    has_outline: bool = True,
) -> ObjectShape:
    return ObjectShape(
        label=_shorten(found.label),
        confidence=found.confidence,
        box_xyxy=found.box_xyxy,
        outline=" ".join(_paths(found)) if has_outline else "",
        colour=_to_hex(colours[found.label]),
        text_colour=_to_hex(text_colour_on(colours[found.label])),
        tag=_to_tag(candidate, found),
    )


def _to_tag(candidate: Candidate, found: Annotation) -> LabelTag:
    x_min, y_min, x_max, _ = found.box_xyxy
    width_px = _tag_width_px(_shorten(found.label))
    is_right_aligned = x_min > FLIP_AT * candidate.width_px
    is_above = y_min > ROOM_ABOVE * candidate.height_px
    return LabelTag(
        left=100 * (x_max if is_right_aligned else x_min) / candidate.width_px,
        top=100 * y_min / candidate.height_px,
        x_px=-width_px if is_right_aligned else 0,
        y_px=-TAG_HEIGHT_PX if is_above else 0,
        width_px=width_px,
    )


@lru_cache(KNOWN_TAGS)
def _tag_width_px(text: str) -> int:
    font = ImageFont.load_default(TAG_FONT_PX)
    return round(font.getlength(text)) + 2 * TAG_PADDING_PX


def _paths(found: Annotation) -> Iterator[str]:
    for part in find_outlines(masks.decode(masks.to_rle(found.rle))):
        yield from map(_to_path, part)


def _to_path(ring: Ring) -> str:
    corners = " ".join(f"{x} {y}" for x, y in ring.tolist())
    return f"M{corners}Z"


def _shorten(label: str) -> str:
    line = join_lines(label)
    return line if len(line) <= TAG_LETTERS else f"{line[: TAG_LETTERS - 1]}…"


def _to_hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
