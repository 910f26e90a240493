"""Downloads of files from their publishers' own URLs: resumable and verified."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from chatgenimage.workers.errors import CheckpointNotFound


def fetch_file(url: str, path: Path, size_bytes: int, sha256: str) -> None:
    """Download a file to `path`, with a progress bar on stderr.

    An interrupted download is resumed; the file itself appears complete and verified, or not at
    all.

    Args:
        url: URL of the file.
        path: Path of the file to write; its folder is created.
        size_bytes: Expected size.
        sha256: Expected SHA-256.

    Raises:
        CheckpointNotFound: If the download fails or its content is not the published file.
    """
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # workers that share the folder may download it too
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
        f"{url} returned another file than the published one (SHA-256 {found}, not {sha256}); "
        f"it was deleted. Download it yourself, and put it at {path}."
    )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _append_rest(url: str, stream: BinaryIO, name: str, size_bytes: int) -> None:
    """Download what a file still lacks, and append it; start over if it is longer than the whole.

    Raises:
        CheckpointNotFound: If the download fails; what is there stays.
    """
    from httpx2 import HTTPError
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
    except (OSError, HTTPError) as error:
        raise CheckpointNotFound(
            f"cannot download {url} ({first_line(error)}); "
            "try again: the download resumes where it stopped."
        ) from error
