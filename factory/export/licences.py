"""Licences of checkpoints, if known."""

from pathlib import Path

from chatgenimage.workers.weights.catalog import find_published
from chatgenimage.workers.weights.licences import read_licence
from chatgenimage.workers.weights.local_files import BUNDLED_FOLDER, BUNDLED_PREFIX

UNKNOWN = "not known; see the model's page"


def find_licence(checkpoint: str) -> str:
    """Return the licence of a checkpoint, or `UNKNOWN`; a card next to the weights has priority."""
    if checkpoint.startswith(BUNDLED_PREFIX):
        path = BUNDLED_FOLDER / checkpoint.removeprefix(BUNDLED_PREFIX)
    else:
        path = Path(checkpoint).expanduser()
    for folder in (path, path.parent):
        if licence := read_licence(folder):
            return licence
    published = find_published(checkpoint)
    if published is None:
        return UNKNOWN
    condition = getattr(published, "condition", None)
    return f"{published.licence} ({condition})" if condition else published.licence
