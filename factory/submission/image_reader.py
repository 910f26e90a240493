"""Reader of a person's pictures: decodes a file in bounded memory, or refuses it with a reason."""

import hashlib
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from chatgenimage.factory.errors import FactoryError
from chatgenimage.factory.submission.image_colours import is_grey, to_eight_bits, to_srgb
from chatgenimage.factory.submission.image_listing import ENDINGS
from chatgenimage.factory.submission.png_chunks import view_png
from chatgenimage.workers.values import RgbImage

FORMATS = ("PNG", "JPEG", "WEBP")
HEIF = "HEIF"
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
LEAST_SIDE_PX = 16
"""A smaller picture is refused: models cannot recognise anything in it."""
LARGE_PX = 8_000_000
"""Larger pictures are decoded one at a time: each needs up to 4 bytes per pixel."""
STRIP_PX = 4_000_000
REDUCING_GAP = 2
"""A picture is averaged down to this multiple of its final size, then resampled, as Pillow does."""
ORIENTATION = 0x112
SIDEWAYS = frozenset({5, 6, 7, 8})
"""Values of the EXIF orientation that exchange width and height."""

_large = ThreadPoolExecutor(1, "large-picture")
"""One thread also because each thread keeps the memory that it has used."""


class BadPicture(FactoryError):
    """A file cannot be used as a picture; the message says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: (H, W, 3) uint8, sRGB.
        source_wh: Width and height of the picture in the file, upright.
        source_sha256: SHA-256 of the file.
        remark: What may be wrong with it; None if nothing.
    """

    pixels: RgbImage
    source_wh: tuple[int, int]
    source_sha256: str = ""
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """An opened picture, not decoded yet.

    Attributes:
        size_wh: Of the file.
        profile: Colour profile of a PNG (`png_chunks`).
    """

    image: Image.Image
    size_wh: tuple[int, int]
    profile: bytes | None
    longest_side_px: int


def read_picture(folder: Path, name: str, longest_side_px: int) -> Picture:
    """Read a picture: upright, sRGB on white, and not larger than asked.

    Args:
        folder: Folder of the file; links that lead out of it are refused.
        name: Name of the file, relative to the folder.
        longest_side_px: Larger pictures are scaled down to it; smaller ones are not enlarged.

    Raises:
        BadPicture: If the file is not a picture or cannot be used.
    """
    path = folder / name
    try:
        if not Path(os.path.realpath(path, strict=True)).is_relative_to(folder.resolve()):
            raise BadPicture("is a link out of the folder")
        if not path.is_file():
            raise BadPicture("is not a regular file")
        if not path.stat().st_size:
            raise BadPicture("is empty")
        with path.open("rb") as file:
            picture = _decode(file, longest_side_px)
            file.seek(0)
            return replace(picture, source_sha256=hashlib.file_digest(file, "sha256").hexdigest())
    except FileNotFoundError:
        raise BadPicture("does not exist, or is a link to a missing file") from None
    except UnidentifiedImageError:
        raise BadPicture(f"is not a {ENDINGS} picture") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # raised by Pillow's decoders
        raise BadPicture(f"cannot be read: {_reason(error)}") from None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence Pillow's warnings about pictures, in all threads; its errors are still raised."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def printable_name(name: str) -> str:
    """Return a file's name as text that can be stored and printed, for any bytes."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


@contextmanager
def opened_picture(file: BinaryIO) -> Iterator[tuple[Image.Image, bytes | None]]:
    """Yield an opened picture, of which only the header is read, and a PNG's colour profile."""
    png = view_png(file)
    file.seek(0)
    formats = (HEIF,) if _is_heif(file) else FORMATS
    with _open(png.content if png else file, formats) as opened:
        yield opened, png.profile if png else None


def upright_size(size_wh: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height of a picture after it was turned upright."""
    width, height = size_wh
    return (height, width) if orientation in SIDEWAYS else size_wh


def _decode(file: BinaryIO, longest_side_px: int) -> Picture:
    with opened_picture(file) as (opened, profile):
        source = _Source(opened, opened.size, profile, longest_side_px)
        opened.draft("RGB", (longest_side_px, longest_side_px))  # decodes a large JPEG smaller
        if opened.width * opened.height > LARGE_PX:
            return _large.submit(_load, source).result()
        return _load(source)


def _load(source: _Source) -> Picture:
    """Decode a picture; the memory of the decoded one is free again afterwards."""
    image, longest_side_px = source.image, source.longest_side_px
    image.load()
    small = _reduce(image, longest_side_px)
    profile = source.profile if image.format == "PNG" else image.info.get("icc_profile")
    orientation, grey = image.getexif().get(ORIENTATION, 1), is_grey(image)
    image.close()
    coloured = to_srgb(small, profile, grey=grey)
    coloured.image.getexif()[ORIENTATION] = orientation
    rgb = ImageOps.exif_transpose(coloured.image)
    rgb.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
    if min(rgb.size) < LEAST_SIDE_PX:
        raise BadPicture(_too_small(source.size_wh, rgb.size))
    source_wh = upright_size(source.size_wh, orientation)
    return Picture(np.array(rgb), source_wh, remark=coloured.remark)


def _open(content: BinaryIO, formats: tuple[str, ...]) -> Image.Image:
    """Return the opened picture; only its header is read."""
    try:
        return Image.open(content, formats=formats)
    except Image.DecompressionBombError:
        width, height = _size_in_header(content, formats)
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise BadPicture(
            f"has too many pixels: {width}x{height}, {width * height // 10**6} million; at most "
            f"{most} million are read, make it smaller"
        ) from None


def _size_in_header(content: BinaryIO, formats: tuple[str, ...]) -> tuple[int, int]:
    """Return the width and height that a file claims, without decoding it."""
    for name in formats:
        factory, accept = Image.OPEN[name]
        content.seek(0)
        if accept is None or accept(content.read(16)):
            content.seek(0)
            with factory(content, "") as header:
                return header.size
    raise UnidentifiedImageError


def _is_heif(file: BinaryIO) -> bool:
    """Return whether a file is HEIC or HEIF; makes Pillow able to read it.

    Raises:
        BadPicture: If the library for it is not installed.
    """
    head = file.read(12)
    file.seek(0)
    if head[4:8] != b"ftyp" or head[8:] not in HEIF_BRANDS:
        return False
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise BadPicture(
            "is HEIC; install its reader (pip install 'chatgenimage-factory[heic]') or convert it "
            "to JPEG"
        ) from None
    register_heif_opener()
    return True


def _reduce(image: Image.Image, longest_side_px: int) -> Image.Image:
    """Return a picture with 8 bits, scaled down by a whole number to near its final size.

    It is done in strips: converted as a whole, a palette or 16 bits would need several times the
    memory of the decoded picture.
    """
    factor = max(int(max(image.size) / longest_side_px / REDUCING_GAP), 1)
    if factor == 1:
        return to_eight_bits(image).copy()
    width, height = image.size
    rows = factor * max(STRIP_PX // (width * factor), 1)
    strips = [
        to_eight_bits(image.crop((0, top, width, min(top + rows, height)))).reduce(factor)
        for top in range(0, height, rows)
    ]
    small = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        small.paste(strip, (0, top))
        top += strip.height
    return small


def _too_small(own_wh: tuple[int, int], scaled_wh: tuple[int, int]) -> str:
    problem = f"is too small: {own_wh[0]}x{own_wh[1]} pixels"
    if min(own_wh) >= LEAST_SIDE_PX:
        problem += f", scaled down {scaled_wh[0]}x{scaled_wh[1]}"
    return f"{problem}; each side needs at least {LEAST_SIDE_PX}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
