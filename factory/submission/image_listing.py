"""Listing of the pictures in a person's folder, without the files that the factory wrote there."""

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from chatgenimage.factory.errors import NothingFound

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".hif"})
ENDINGS = "heic, jpeg, jpg, png, webp"
"""The usual ones, for messages."""
EXPORT_MANIFEST = "export.json"
"""A folder with this file is an export (`factory.export.folder`)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Files of a folder and its subfolders.

    Attributes:
        names: Names of picture files, relative to the folder, sorted.
        ignored: Number of other files by ending, largest first.
        skipped: Number of pictures in the factory's own folders, by folder.
    """

    names: tuple[str, ...]
    ignored: dict[str, int]
    skipped: dict[str, int] = field(default_factory=dict)


def list_pictures(
    folder: Path, data_dir: Path | None = None, stores: Collection[Path] = ()
) -> Listing:
    """Return the files in a folder and its subfolders that are pictures by their endings.

    Names that begin with a dot are skipped; links to folders are not followed. The factory's own
    images are never input: exports, the data folder and image stores are skipped and counted.

    Args:
        folder: Folder of pictures, searched recursively.
        data_dir: Data folder of the factory. A folder inside it may be named, not the whole of it.
        stores: Folders that hold only images of the factory.

    Raises:
        NothingFound: If there is no such folder, or no such file in it, or if the factory wrote it.
    """
    if not folder.is_dir():
        raise NothingFound(f"{folder} is not a folder; expected one with {ENDINGS} files.")
    never = {path.resolve() for path in stores}
    own = never | ({data_dir.resolve()} if data_dir else set())
    if _is_own(folder, own) or any(map(folder.resolve().is_relative_to, never)):
        raise NothingFound(
            f"{folder} is an export or the factory's data folder; its images are never input. "
            "Choose another folder, or another data folder (--data-dir)."
        )
    names, ignored, skipped = [], Counter[str](), dict[str, int]()
    for place, folders, files in os.walk(folder):
        here = Path(place)
        below = [name for name in sorted(folders) if not name.startswith(".")]
        folders[:] = [name for name in below if not _is_own(here / name, own)]
        for name in below:
            if name in folders:
                continue
            skipped[os.path.relpath(here / name, folder)] = _count_pictures(here / name)
        for name in files:
            if name.startswith("."):
                continue
            if _is_picture(name):
                names.append(os.path.relpath(here / name, folder))
            else:
                ignored[Path(name).suffix.lower() or "no ending"] += 1
    if not names:
        raise NothingFound(f"no picture in {folder}; expected {ENDINGS} files.{_in_words(skipped)}")
    most_first = dict(sorted(ignored.items(), key=lambda one: (-one[1], one[0])))
    return Listing(tuple(sorted(names)), most_first, skipped)


def _is_own(folder: Path, own: Collection[Path]) -> bool:
    return folder.resolve() in own or (folder / EXPORT_MANIFEST).is_file()


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _count_pictures(folder: Path) -> int:
    return sum(_is_picture(name) for _, _, files in os.walk(folder) for name in files)


def _in_words(skipped: dict[str, int]) -> str:
    if not skipped:
        return ""
    return f" {sum(skipped.values())} images that the factory wrote are never input."
