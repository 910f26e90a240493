"""Lock of an import: one process at a time reads the same folder for the same request."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatgenimage.factory.errors import ImportRuns

LOCKS = "imports"


@contextmanager
def only_one_import(data_dir: Path, key: str, folder: Path) -> Iterator[None]:
    """Hold the lock of a request; the system releases it when the process ends, however it ends.

    Args:
        data_dir: Data folder of the factory; the lock file is in it.
        key: Hash of the request.
        folder: Folder of pictures, for the message.

    Raises:
        ImportRuns: If another process holds it.
    """
    path = data_dir / LOCKS / f"{key}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportRuns(
                f"another `factory annotate` is reading the pictures of {folder} with the same "
                "options; wait until it has read them."
            ) from None
        yield
