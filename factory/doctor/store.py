"""Comparison of rows and image files: finds and repairs differences without losing either."""

from collections.abc import Iterator

from chatgenimage.db import consistency, verdicts
from chatgenimage.db.consistency import Disagreement, Verify
from chatgenimage.db.images import ImageStore
from chatgenimage.db.session import Sessions, reading
from chatgenimage.db.transactions import in_transaction
from chatgenimage.factory.doctor.findings import Finding, Health
from chatgenimage.factory.wording import counted
from chatgenimage.tasks.filter_rules import IMAGE_MISSING

YOUNG_S = 3600.0
"""A newer file without a row may belong to a worker that is about to write the row."""
SHOWN = 10


def find_differences(
    sessions: Sessions, images: ImageStore, verify: Verify | None = None
) -> Disagreement:
    """Return where rows and files disagree; with `verify`, also which files are damaged."""
    return consistency.find_disagreement(
        sessions, images, reason=IMAGE_MISSING, min_age_s=YOUNG_S, verify=verify
    )


def to_findings(found: Disagreement, *, verified: bool) -> Iterator[Finding]:
    """Yield a finding for rows without files, one for damaged files, one for files without rows."""
    if found.missing:
        text = (
            f"{counted(len(found.missing), 'candidate')} without an image file: "
            f"{_some(found.missing)}. "
            "Restore the files from a copy, or let `factory doctor --repair` reject the candidates "
            f"as {IMAGE_MISSING}"
        )
        yield Finding("rows", Health.WRONG, text)
    else:
        yield Finding("rows", Health.OK, "every candidate has its file")
    if found.damaged:
        text = (
            f"{counted(len(found.damaged), 'candidate')} whose file is damaged (its checksum "
            f"differs): {_some(found.damaged)}. Restore a copy, or `factory doctor --checksums "
            f"--repair` moves the files aside and rejects the candidates as {IMAGE_MISSING}"
        )
        yield Finding("checksums", Health.WRONG, text)
    elif verified:
        yield Finding("checksums", Health.OK, "every file has the content that was stored")
    if found.orphans:
        paths = [file.path for file in found.orphans]
        text = (
            f"{counted(len(paths), 'file')} without a candidate: {_some(paths)}. They do no harm; "
            "`factory doctor --repair` moves them aside"
        )
        yield Finding("files", Health.WRONG, text)
    else:
        yield Finding("files", Health.OK, "every file has its candidate")


def repair(sessions: Sessions, images: ImageStore, found: Disagreement) -> str:
    """Reject candidates without a valid file, move other files aside; return a summary.

    Nothing is deleted. A run that was waiting for such a file can continue.
    """
    lost = (*found.missing, *found.damaged)
    with reading(sessions) as session:
        damaged = consistency.list_checksums(session, found.damaged)
    in_transaction(sessions, lambda session: verdicts.reject(session, lost, IMAGE_MISSING))
    paths = [file.path for file in found.orphans] + [images.path_of(each) for each in damaged]
    for path in paths:
        images.set_aside(path)
    rejected, moved = counted(len(lost), "candidate"), counted(len(paths), "file")
    return f"{rejected} rejected as {IMAGE_MISSING}, {moved} moved aside"


def _some(things: tuple[int, ...] | list[str]) -> str:
    shown = ", ".join(map(str, things[:SHOWN]))
    return f"{shown} and {len(things) - SHOWN} more" if len(things) > SHOWN else shown
