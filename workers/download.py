"""Files that their publishers give at an address of their own: fetched, resumed, and verified."""

import hashlib
from pathlib import Path

from workers.errors import CheckpointNotFound


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
    from huggingface_hub.file_download import http_get

    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    done = part.stat().st_size if part.exists() else 0
    if done > size_bytes:
        part.unlink()
        done = 0
    try:
        with part.open("ab") as stream:
            http_get(
                url,
                stream,
                resume_size=done,
                expected_size=size_bytes,
                displayed_filename=path.name,
            )
    except OSError as error:
        raise CheckpointNotFound(
            f"{url} was not given ({str(error).strip().splitlines()[0]}); "
            "try again, what was fetched so far stays."
        ) from error
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        part.unlink()
        raise CheckpointNotFound(
            f"{url} gave another file than was published (SHA-256 {found}, not {sha256}); "
            f"it was deleted. Fetch it yourself, and put it at {path}."
        )
    part.replace(path)
