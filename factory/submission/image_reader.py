"""Reader of a person's pictures: lists a folder and decodes files, or refuses them."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from chatgenimage.factory.errors import FactoryError, NothingFound
from chatgenimage.workers.values import RgbImage

FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
LEAST_SIDE_PX = 16
"""A smaller picture is refused: models cannot recognise anything in it."""
WHITE = (255, 255, 255, 255)
BITS_16_TO_8 = 1 / 257


class BadPicture(FactoryError):
    """A file cannot be used as a picture; the message says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """Files of a folder and its subfolders.

    Attributes:
        names: Names of picture files, relative to the folder, sorted.
        ignored: Number of other files by ending, largest first.
    """

    names: tuple[str, ...]
    ignored: dict[str, int]


def list_pictures(folder: Path) -> FolderListing:
    """Return the files in a folder and its subfolders that are pictures by their endings.

    Names that begin with a dot are skipped; links to folders are not followed.

    Raises:
        NothingFound: If there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise NothingFound(f"{folder} is not a folder; expected one with {_endings()} files.")
    names, ignored = [], Counter[str]()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.startswith("."):
                continue
            if Path(name).suffix.lower() in SUFFIXES:
                names.append(os.path.relpath(Path(place) / name, folder))
            else:
                ignored[Path(name).suffix.lower() or "no ending"] += 1
    if not names:
        raise NothingFound(f"no picture in {folder}; expected {_endings()} files.")
    return FolderListing(tuple(sorted(names)), dict(ignored.most_common()))


def read_picture(folder: Path, name: str, longest_side_px: int) -> RgbImage:
    """Read a picture: upright, on white, 8 bits per channel, and not larger than asked.

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
        return _decode(path, longest_side_px)
    except FileNotFoundError:
        raise BadPicture("does not exist, or is a link to a missing file") from None
    except UnidentifiedImageError:
        raise BadPicture(f"is not a {_endings()} picture") from None
    except Image.DecompressionBombError:
        raise BadPicture("has too many pixels") from None
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


def _decode(path: Path, longest_side_px: int) -> RgbImage:
    with Image.open(path, formats=FORMATS) as opened:
        opened.draft("RGB", (longest_side_px, longest_side_px))  # decodes a large JPEG smaller
        opened.load()
        upright = ImageOps.exif_transpose(opened)
    rgb = _to_rgb(upright)
    rgb.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
    if min(rgb.size) < LEAST_SIDE_PX:
        raise BadPicture(f"is too small: {rgb.width}x{rgb.height} pixels")
    return np.array(rgb)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return RGB with 8 bits per channel; transparent parts become white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64) * BITS_16_TO_8
        return Image.fromarray(values.clip(0, 255).round().astype(np.uint8), "L").convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, WHITE), rgba).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _endings() -> str:
    return ", ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
