"""Folder of an export: written next to its final path, renamed when it is complete."""

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
"""The last file to be written: a summary, and the proof that a folder is an export."""

_FINGERPRINT = ".fingerprint"


class Folder:
    """Writes the files of an export; keeps the files of an interrupted one."""

    def __init__(self, root: Path, open_files: ExitStack) -> None:
        self.root = root
        self._open_files = open_files

    def place(self, relative: str) -> Path:
        """Return a file's path and create its folder."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def open_text(self, relative: str) -> TextIO:
        """Open a text file for writing; it is closed when the export ends."""
        file = self.place(relative).open("w", encoding="utf-8", newline="")
        return self._open_files.enter_context(file)

    def at_the_end(self, close: Callable[[], None]) -> None:
        """Call `close` when the export ends, also after an error."""
        self._open_files.callback(close)

    def put_image(self, relative: str, sample: Sample) -> None:
        """Write a sample's image, unless the file exists with the right content."""
        path = self.place(relative)
        if sample.image_sha256 is None or not _holds(path, sample.image_sha256):
            path.write_bytes(sample.read_image())

    def put_text(self, relative: str, text: str) -> None:
        """Write a text file without changing line endings."""
        self.place(relative).write_text(text, encoding="utf-8", newline="")


def refuse_to_replace(out_dir: Path, *, overwrite: bool) -> None:
    """Refuse a path whose contents an export must not replace.

    Raises:
        CannotWrite: If no folder can have this name, or it is a file, has other contents, or is an
            export and `overwrite` is off.
    """
    try:
        str(out_dir).encode()
        out_dir.is_dir()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8, or it has a NUL"
        raise CannotWrite(f"{str(out_dir)!r}: {reason}; name another folder.") from None
    if out_dir.exists() and not out_dir.is_dir():
        raise CannotWrite(f"{out_dir} is a file; name a new folder.")
    if not out_dir.is_dir() or not any(out_dir.iterdir()):
        return
    if not (out_dir / MANIFEST).is_file():
        raise CannotWrite(f"{out_dir} has other contents, not an export; name another folder.")
    if not overwrite:
        raise CannotWrite(
            f"{out_dir} already has an export; add --overwrite or name another folder."
        )


@contextmanager
def growing(out_dir: Path, fingerprint: str) -> Iterator[Folder]:
    """Yield the folder to fill; on success it becomes `out_dir`, else it is kept for a retry.

    Args:
        out_dir: Its final path.
        fingerprint: Hash of everything that determines the content: an unfinished export with the
            same fingerprint is continued, any other is deleted.

    Raises:
        CannotWrite: If writing fails, or another process writes the same export now.
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
    """Write the summary of the export."""
    folder.put_text(MANIFEST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _holds(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


@contextmanager
def _only_one(partial: Path, out_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; it is released at the latest when the process ends."""
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CannotWrite(f"{out_dir} is being written by another export.") from None
    finally:
        os.close(descriptor)


def _prepare(partial: Path, fingerprint: str) -> None:
    """Keep the files of an interrupted export of the same content; delete those of another."""
    marker = partial / _FINGERPRINT
    found = list(partial.iterdir())
    if found and not marker.is_file():
        raise CannotWrite(f"{partial} exists and is not an unfinished export; move it elsewhere.")
    if found and marker.read_text(encoding="utf-8") == fingerprint:
        return
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        elif path != marker:  # deleted last: it identifies the folder as an export
            path.unlink()
    marker.write_text(fingerprint, encoding="utf-8")


def _move_into_place(finished: Path, out_dir: Path) -> None:
    """Rename the folder; an earlier export is moved away first and deleted last."""
    earlier = out_dir.parent / f".{out_dir.name}.{uuid4().hex}.earlier"
    try:
        if out_dir.is_dir():
            out_dir.rename(earlier)
        finished.rename(out_dir)
    except BaseException:  # also Ctrl-C
        if earlier.is_dir() and not out_dir.is_dir():
            earlier.rename(out_dir)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _explain(error: OSError, out_dir: Path, partial: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return (
            f"no space left while writing {out_dir}. Free some and run the same command again: "
            f"it continues where it stopped; or delete {partial}."
        )
    return f"cannot write {out_dir}: {error}. It was not created or changed."
