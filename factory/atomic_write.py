"""Atomic file writing: the file is complete or absent, never half-written."""

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from chatgenimage.db.private_files import PRIVATE_FILE
from chatgenimage.factory.errors import CannotWrite

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
PUBLIC_FILE = 0o666
"""For whom the umask allows."""


def write_file(path: Path, content: bytes, *, data_dir: Path | None = None) -> None:
    """Write `content` to `path`, replacing an existing file.

    Args:
        path: File to write; its folder is created.
        content: The whole content.
        data_dir: The data folder: files in it are for their owner alone.

    Raises:
        CannotWrite: If the file or its folder cannot be written.
    """
    try:
        replace_file(path, content, is_private=data_dir is not None and _is_in(data_dir, path))
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error}. Name another file.") from error


def replace_file(path: Path, content: bytes, *, is_private: bool) -> None:
    """Write `content` to `path`, for the owner alone if `is_private`; raises OSError."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    mode = PRIVATE_FILE if is_private else PUBLIC_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, NEW_FILE, mode), "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:  # also Ctrl-C
        with suppress(OSError):
            temporary.unlink()
        raise


def _is_in(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
