"""Overlay: draws boxes with labels, masks, and the requested place of a fill on an image."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.object_reviews import objects_of
from chatgenimage.workers import masks
from chatgenimage.workers.values import BoxXyxy, RgbImage

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (51, 34, 136),
    (136, 34, 85),
    (153, 153, 51),
    (90, 90, 90),
)
"""Okabe and Ito's colours without yellow, which is pale on white, then three of Tol's muted."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
MASK_OPACITY = 0.28
OUTLINE_PX = 3
BOX_WIDTH_PX = 2
DASH_PX = 7
TAG_FONT_PX = 13


@dataclass(frozen=True, slots=True)
class Overlay:
    """Draws candidates at one size, in one colour per class.

    Attributes:
        side_px: Longer side of the drawn image.
        colours: Colours by label.
        use_reviews: Whether objects are as people corrected them; these have no masks drawn.
    """

    side_px: int
    colours: Mapping[str, Colour]
    use_reviews: bool = False

    def plain(self, pixels: RgbImage) -> Image.Image:
        """Return the image at the size of this overlay."""
        height, width = pixels.shape[:2]
        scale = self.side_px / max(width, height)
        return Image.fromarray(pixels).resize(
            (max(round(width * scale), 1), max(round(height * scale), 1)),
            Image.Resampling.LANCZOS,
        )

    def annotated(self, pixels: RgbImage, candidate: Candidate) -> Image.Image:
        """Return the image with masks, boxes, labels, and the requested place of a fill."""
        image = self.plain(pixels)
        scale = image.width / pixels.shape[1]
        # Lowest confidence first, so that the best are on top.
        objects = objects_of(candidate, use_reviews=self.use_reviews)[::-1]
        for found in objects:
            if found.annotation and not found.is_corrected:
                _tint(image, found.annotation, self.colours[found.label])
        draw = ImageDraw.Draw(image)
        for found in objects:
            box = _scaled(found.box_xyxy, scale)
            draw.rectangle(box, outline=self.colours[found.label], width=BOX_WIDTH_PX)
        if candidate.placement:
            draw_dashed_box(draw, _scaled(candidate.placement.box_xyxy, scale))
        for found in objects:
            box = _scaled(found.box_xyxy, scale)
            draw_tag(draw, found.label, box, self.colours[found.label], image.size)
        return image


def colours_of(labels: Iterable[str]) -> dict[str, Colour]:
    """Return a colour for each label, in order; the first ten labels have different colours.

    After ten labels the colours repeat; the label next to each box still identifies the object.
    """
    unique = dict.fromkeys(labels)
    return {label: PALETTE[index % len(PALETTE)] for index, label in enumerate(unique)}


def text_colour_on(colour: Colour) -> Colour:
    """Return black or white, the one that is easier to read on `colour` (WCAG's luminance)."""
    red, green, blue = (part / 255 for part in colour)
    linear = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return BLACK if linear > 0.18 else WHITE  # noqa: PLR2004  # equal contrast with both


def draw_dashed_box(draw: ImageDraw.ImageDraw, box: BoxXyxy) -> None:
    """Draw a box in black and white dashes, visible on every image."""
    x_min, y_min, x_max, y_max = box
    corners = ((x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max))
    for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
        for index, dash in enumerate(_dashes(start, end)):
            draw.line(dash, fill=BLACK if index % 2 else WHITE, width=BOX_WIDTH_PX)


def join_lines(text: str) -> str:
    """Return a text with line breaks replaced by spaces."""
    return " ".join(text.split())


def draw_tag(
    draw: ImageDraw.ImageDraw,
    text: str,
    box: BoxXyxy,
    colour: Colour,
    size_wh: tuple[int, int],
) -> None:
    """Write a label on its colour above a box, or inside if there is no room above."""
    font = ImageFont.load_default(TAG_FONT_PX)
    text = join_lines(text)
    width, height = draw.textlength(text, font) + 6, TAG_FONT_PX + 4
    left = min(max(box[0], 0), max(size_wh[0] - width, 0))
    top = box[1] - height if box[1] >= height else max(box[1], 0)
    draw.rectangle((left, top, left + width, top + height), fill=colour)
    draw.text((left + 3, top + 1), text, fill=text_colour_on(colour), font=font)


def _tint(image: Image.Image, annotation: Annotation, colour: Colour) -> None:
    """Draw the mask translucently, with an opaque line along its edge."""
    mask = masks.decode(masks.to_rle(annotation.rle))
    large = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        image.size, Image.Resampling.BILINEAR
    )
    inside = large.point(lambda value: 255 * (value > 127))  # noqa: PLR2004  # at least half covered
    edge = ImageChops.subtract(inside, inside.filter(ImageFilter.MinFilter(OUTLINE_PX)))
    image.paste(colour, mask=inside.point(lambda value: int(value * MASK_OPACITY)))
    image.paste(colour, mask=edge)


def _scaled(box: BoxXyxy, scale: float) -> BoxXyxy:
    x_min, y_min, x_max, y_max = (round(side * scale) for side in box)
    return (x_min, y_min, max(x_max - 1, x_min), max(y_max - 1, y_min))


def _dashes(
    start: tuple[float, float], end: tuple[float, float]
) -> Iterator[Sequence[tuple[float, float]]]:
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    count = max(round(length / DASH_PX), 1)
    for index in range(count):
        yield [_between(start, end, step / count) for step in (index, index + 1)]


def _between(
    start: tuple[float, float], end: tuple[float, float], share: float
) -> tuple[float, float]:
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
