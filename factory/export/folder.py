"""The folder of an export: partial beside its final place, renamed when it is whole."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from chatgenimage.factory.errors import CannotWrite
from chatgenimage.factory.export.sample import Sample

MANIFEST = "export.json"
"""The last file that is written: what was exported, and the sign that a folder is an export."""

_FINGERPRINT = ".fingerprint"


class Folder:
    """Takes the files of an export; what an interrupted one wrote already is kept."""

    def __init__(self, root: Path, open_files: ExitStack) -> None:
        self.root = root
        self._open_files = open_files

    def place(self, relative: str) -> Path:
        """Return where a file belongs, with the folders above it made."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def open_text(self, relative: str) -> TextIO:
        """Return a text file to write, closed when the export ends."""
        file = self.place(relative).open("w", encoding="utf-8", newline="")
        return self._open_files.enter_context(file)

    def at_the_end(self, close: Callable[[], None]) -> None:
        """Have something closed, however the export ends."""
        self._open_files.callback(close)

    def put_image(self, relative: str, sample: Sample) -> None:
        """Write a sample's image, unless it is there and right."""
        path = self.place(relative)
        if not _holds(path, sample.candidate.sha256):
            path.write_bytes(sample.read_image())

    def put_text(self, relative: str, text: str) -> None:
        """Write a text file, with line ends as they are."""
        self.place(relative).write_text(text, encoding="utf-8", newline="")


def refuse_to_replace(out_dir: Path, *, overwrite: bool) -> None:
    """Refuse a place where something lies that an export must not replace.

    Raises:
        CannotWrite: If it is a file, holds something else, or an export and `overwrite` is not set.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise CannotWrite(f"{out_dir} is a file; name a folder to be made.")
    if not out_dir.is_dir() or not any(out_dir.iterdir()):
        return
    if not (out_dir / MANIFEST).is_file():
        raise CannotWrite(f"{out_dir} is not empty and no earlier export; name another folder.")
    if not overwrite:
        raise CannotWrite(f"{out_dir} holds an export; add --overwrite or name another folder.")


@contextmanager
def growing(out_dir: Path, fingerprint: str) -> Iterator[Folder]:
    """Yield the folder to fill; on success it stands at `out_dir`, else it waits for another try.

    Args:
        out_dir: Where it goes.
        fingerprint: Of everything that shapes the content: an unfinished export with the same one
            goes on, any other is thrown away.

    Raises:
        CannotWrite: If the disk refuses, or somebody else writes the same export now.
    """
    partial = out_dir.parent / f".{out_dir.name}.partial"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with _only_one(partial, out_dir):
            _prepare(partial, fingerprint)
            with ExitStack() as open_files:
                yield Folder(partial, open_files)
            _move_into_place(partial, out_dir)
            (out_dir / _FINGERPRINT).unlink()
    except OSError as error:
        raise CannotWrite(_explain(error, out_dir, partial)) from error


def write_manifest(folder: Folder, content: dict[str, Any]) -> None:
    """Write what was exported."""
    folder.put_text(MANIFEST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _holds(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


@contextmanager
def _only_one(partial: Path, out_dir: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process at the latest."""
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CannotWrite(f"{out_dir} is being written by another export.") from None
    finally:
        os.close(descriptor)


def _prepare(partial: Path, fingerprint: str) -> None:
    """Keep what an interrupted export of the same content wrote; throw away that of another."""
    mark = partial / _FINGERPRINT
    found = list(partial.iterdir())
    if found and not mark.is_file():
        raise CannotWrite(f"{partial} is in the way and no unfinished export; move it elsewhere.")
    if found and mark.read_text(encoding="utf-8") == fingerprint:
        return
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        elif path != mark:  # goes last: without it the folder would be a stranger's
            path.unlink()
    mark.write_text(fingerprint, encoding="utf-8")


def _move_into_place(finished: Path, out_dir: Path) -> None:
    """Rename; an earlier export makes way first and is deleted last."""
    earlier = out_dir.parent / f".{out_dir.name}.{uuid4().hex}.earlier"
    if out_dir.is_dir():
        out_dir.rename(earlier)
    try:
        finished.rename(out_dir)
    except OSError:
        if earlier.is_dir():
            earlier.rename(out_dir)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _explain(error: OSError, out_dir: Path, partial: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return (
            f"no space left while writing {out_dir}. Free some and run the same command again: "
            f"it goes on where it stopped; or delete {partial}."
        )
    return f"cannot write {out_dir}: {error}. Nothing was left there."
