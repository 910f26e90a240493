"""Rows and image files that do not agree: found, told, and repaired without losing either."""

from collections.abc import Iterator

from chatgenimage.db import consistency
from chatgenimage.db.images import ImageStore
from chatgenimage.db.session import Sessions
from chatgenimage.factory.doctor.findings import Finding, Health
from chatgenimage.tasks.filter_rules import IMAGE_MISSING

YOUNG_S = 3600.0
"""A younger file without a row may belong to a worker that is about to write it."""
SHOWN = 10


def compare(sessions: Sessions, images: ImageStore) -> Iterator[Finding]:
    """Yield a line for rows without files and one for files without rows."""
    found = consistency.compare(sessions, images, reason=IMAGE_MISSING, min_age_s=YOUNG_S)
    if found.missing:
        text = (
            f"{len(found.missing)} candidates whose file is gone: {_some(found.missing)}. Bring "
            f"back a copy, or `factory doctor --repair` rejects them as {IMAGE_MISSING}"
        )
        yield Finding("rows", Health.WRONG, text)
    else:
        yield Finding("rows", Health.OK, "every candidate has its file")
    if found.orphans:
        paths = [file.path for file in found.orphans]
        text = (
            f"{len(paths)} files that no candidate names: {_some(paths)}. They do no harm; "
            "`factory doctor --repair` sets them aside"
        )
        yield Finding("files", Health.WRONG, text)
    else:
        yield Finding("files", Health.OK, "every file has its candidate")


def repair(sessions: Sessions, images: ImageStore) -> str:
    """Reject candidates whose file is gone, set aside files without a row; return what was done."""
    found = consistency.compare(sessions, images, reason=IMAGE_MISSING, min_age_s=YOUNG_S)
    with sessions.begin() as session:
        consistency.reject(session, found.missing, IMAGE_MISSING)
    for file in found.orphans:
        images.set_aside(file.path)
    return (
        f"{len(found.missing)} candidates rejected as {IMAGE_MISSING}, "
        f"{len(found.orphans)} files set aside"
    )


def _some(things: tuple[int, ...] | list[str]) -> str:
    shown = ", ".join(map(str, things[:SHOWN]))
    return f"{shown} and {len(things) - SHOWN} more" if len(things) > SHOWN else shown
