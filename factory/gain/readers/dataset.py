"""Dataset as its reader returns it: images by split, and checks that all readers share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.values import LabelledImage
from chatgenimage.workers.values import BoxXyxy

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Names of splits, as datasets write them, and as they are called here."""
OUTSIDE_PX = 1.5
"""How far a box may be outside of its image, from rounding; it is cut."""

LEAST_POLYGON_NUMBERS = 6

Row = Mapping[str, object]
"""Further columns of an image: fields of COCO's image entry, or a line of metadata."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of a dataset.

    Attributes:
        split: Its split as the dataset calls it; empty if there are none.
        row: Its further columns.
    """

    image: LabelledImage
    split: str = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that was read.

    Attributes:
        form: Name of its format, for messages.
    """

    path: Path
    form: str
    entries: tuple[Entry, ...]


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of an image file in pixels.

    Raises:
        BadDataset: If it is missing or no image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise BadDataset(f"{path}: no such image file, but the labels name it.") from None
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise BadDataset(f"{path} is not an image that can be read: {error}") from error


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file.

    Raises:
        BadDataset: If it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataset(f"{path} cannot be read as text in UTF-8: {error}") from error


def check_polygon(numbers: list[float], where: str) -> list[float]:
    """Return x, y, x, y, ... of a polygon.

    Raises:
        BadDataset: If there are fewer than 3 corners, or a number is not finite.
    """
    if len(numbers) < LEAST_POLYGON_NUMBERS or len(numbers) % 2:
        raise BadDataset(
            f"{where}: a polygon needs x and y of at least 3 corners; found {len(numbers)} numbers."
        )
    if not all(map(math.isfinite, numbers)):
        raise BadDataset(f"{where}: a corner of the polygon is not a finite number.")
    return numbers


def check_box(box: BoxXyxy, size_wh: tuple[int, int], where: str) -> BoxXyxy:
    """Return a box, cut at the image's edges.

    Args:
        box: Corners in pixels.
        size_wh: Of the image.
        where: Names the file, and the object in it, for the message.

    Raises:
        BadDataset: If it is empty, not finite, or outside of the image.
    """
    x_min, y_min, x_max, y_max = box
    width, height = size_wh
    corners = f"({x_min:g}, {y_min:g}) to ({x_max:g}, {y_max:g})"
    if not all(map(math.isfinite, box)) or x_max <= x_min or y_max <= y_min:
        raise BadDataset(f"{where}: the box {corners} is empty; expected a positive size.")
    outside = max(-x_min, -y_min, x_max - width, y_max - height)
    inside = (max(0.0, x_min), max(0.0, y_min), min(width, x_max), min(height, y_max))
    if outside > OUTSIDE_PX or inside[2] <= inside[0] or inside[3] <= inside[1]:
        raise BadDataset(
            f"{where}: the box {corners} is outside of the image, which has {width} x {height} "
            "pixels. Correct the box, or the size that it was written for."
        )
    return inside


def parse_runs(counts: str) -> list[int]:
    """Return the lengths of the runs in COCO's compressed counts.

    pycocotools returns random pixels for counts that do not sum to the mask's pixels, so they are
    summed before. A text that is cut off gives an impossible last length.
    """
    runs: list[int] = []
    value = shift = 0
    for code in (ord(letter) - 48 for letter in counts):
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:  # the number continues with the next letter
            continue
        if code & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))  # noqa: PLR2004  # COCO's rule
        value = shift = 0
    return runs if not shift else [*runs, -1]


def list_images(folder: Path) -> list[Path]:
    """Return the image files in a folder and below, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
