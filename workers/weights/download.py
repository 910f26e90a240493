"""Files that their publishers give at an address of their own: fetched, resumed, and verified."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from chatgenimage.workers.errors import CheckpointNotFound


def fetch_file(url: str, path: Path, size_bytes: int, sha256: str) -> None:
    """Fetch a file to `path`, with a progress bar on stderr.

    What an interrupted download left beside it is taken up again; the file itself appears whole
    and verified, or not at all.

    Args:
        url: Where it is given.
        path: Where it shall lie; its folder is made.
        size_bytes: How long it is.
        sha256: What it must hash to.

    Raises:
        CheckpointNotFound: If it is not given, or is another file than was published.
    """
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # workers that share the folder may want it at once
        if path.exists():
            return
        _append_rest(url, stream, path.name, size_bytes)
        with part.open("rb") as written:
            found = hashlib.file_digest(written, "sha256").hexdigest()
        if found == sha256:
            part.replace(path)
            return
        part.unlink()
    raise CheckpointNotFound(
        f"{url} gave another file than was published (SHA-256 {found}, not {sha256}); "
        f"it was deleted. Fetch it yourself, and put it at {path}."
    )


def _append_rest(url: str, stream: BinaryIO, name: str, size_bytes: int) -> None:
    from huggingface_hub.file_download import http_get

    if stream.seek(0, os.SEEK_END) > size_bytes:
        stream.truncate(0)
        stream.seek(0)
    try:
        http_get(
            url,
            stream,
            resume_size=stream.tell(),
            expected_size=size_bytes,
            displayed_filename=name,
        )
        stream.flush()
    except OSError as error:
        raise CheckpointNotFound(
            f"{url} was not given ({str(error).strip().splitlines()[0]}); "
            "try again, what was fetched so far stays."
        ) from error
