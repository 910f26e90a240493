"""Cards for notebooks: a candidate as HTML, with a small picture, its boxes and its texts."""

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from chatgenimage.db.errors import StoreError
from chatgenimage.factory.foreign_text import printable
from chatgenimage.workers.values import BoxXyxy, RgbImage

LONGEST_PX = 192
"""Longer side of a thumbnail."""
JPEG_QUALITY = 85
MOST_OBJECTS = 20
"""Most boxes that are drawn on a thumbnail."""
MOST_LETTERS = 160
"""Longest text of a card."""
CARD = (
    '<figure style="display:inline-block;vertical-align:top;margin:4px;width:{width}px;'
    'font:12px sans-serif">{picture}<figcaption style="overflow-wrap:anywhere">{lines}'
    "</figcaption></figure>"
)
PICTURE = (
    '<div style="position:relative;width:{width}px;height:{height}px">'
    '<img src="{uri}" width="{width}" height="{height}" alt="">{boxes}</div>'
)
BOX = (
    '<div title="{name}" style="position:absolute;box-sizing:border-box;border:1px solid #fd0;'
    'left:{left:.1f}%;top:{top:.1f}%;width:{width:.1f}%;height:{height:.1f}%"></div>'
)


@dataclass(frozen=True, slots=True)
class Card:
    """A candidate as a card.

    Attributes:
        read_pixels: Returns its image, (H, W, 3) uint8 RGB.
        boxes: Names and boxes of its objects, in pixels of the image.
        lines: Texts below the image.
    """

    read_pixels: Callable[[], RgbImage]
    size_wh: tuple[int, int]
    boxes: Sequence[tuple[str, BoxXyxy]]
    lines: Sequence[str]

    def to_html(self) -> str:
        """Return its thumbnail as a data URI, with boxes, and its texts, escaped."""
        scale = min(1.0, LONGEST_PX / max(self.size_wh))
        width, height = (max(1, round(px * scale)) for px in self.size_wh)
        return CARD.format(
            width=max(width, LONGEST_PX),
            picture=self._picture(width, height),
            lines="<br>".join(map(_escaped, self.lines)),
        )

    def _picture(self, width: int, height: int) -> str:
        try:
            uri = _data_uri(self.read_pixels(), (width, height))
        except StoreError as error:
            return f"<div>{_escaped(str(error))}</div>"
        boxes = "".join(
            _box(name, box_xyxy, self.size_wh) for name, box_xyxy in self.boxes[:MOST_OBJECTS]
        )
        return PICTURE.format(width=width, height=height, uri=uri, boxes=boxes)


def _data_uri(pixels: RgbImage, size_wh: tuple[int, int]) -> str:
    thumbnail = Image.fromarray(pixels).resize(size_wh, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    thumbnail.save(file, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _box(name: str, box_xyxy: BoxXyxy, size_wh: tuple[int, int]) -> str:
    left, top, right, bottom = box_xyxy
    return BOX.format(
        name=_escaped(name),
        left=100 * left / size_wh[0],
        top=100 * top / size_wh[1],
        width=100 * (right - left) / size_wh[0],
        height=100 * (bottom - top) / size_wh[1],
    )


def _escaped(text: str) -> str:
    """Return foreign text for HTML: shortened, without control characters, escaped."""
    short = text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."
    return html.escape(printable(short))
