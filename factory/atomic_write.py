"""Atomic file writing: the file is complete or absent, never half-written."""

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from chatgenimage.factory.errors import CannotWrite


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`, replacing an existing file.

    Raises:
        CannotWrite: If the file or its folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise CannotWrite(f"cannot write {path}: {error}. Name another file.") from error
