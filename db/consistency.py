"""Comparison of database rows with image files: find missing files and files without a row."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chatgenimage.db.errors import ImageBroken, ImageMissing
from chatgenimage.db.images import ImageStore, StoredFile
from chatgenimage.db.models import Candidate, LlmAnswer
from chatgenimage.db.session import Sessions, reading

AT_ONCE = 1000

T = TypeVar("T")

Verify = Callable[[Sequence[str]], Iterable[str]]
"""Yields the given checksums, and shows the progress."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Differences between the database and the image store.

    Attributes:
        missing: Ids of candidates whose file is gone, except those already rejected for that.
        orphans: Old files that belong to no candidate and no cached answer, or that were only
            partly written.
        damaged: Ids of candidates whose file has other content, if checksums were computed.
    """

    missing: tuple[int, ...]
    orphans: tuple[StoredFile, ...]
    damaged: tuple[int, ...] = ()


def find_disagreement(
    sessions: Sessions,
    images: ImageStore,
    *,
    reason: str,
    min_age_s: float,
    verify: Verify | None = None,
) -> Disagreement:
    """Return the differences between rows and files; workers may run at the same time.

    A file is written before its row. Therefore the rows are read first, then the files are listed,
    and a file is an orphan only if it is old and still has no row after that.

    Args:
        sessions: Opens database sessions.
        images: The image store.
        reason: The rejection reason of candidates whose file is already known to be gone.
        min_age_s: Files younger than this are ignored: their row may be written soon.
        verify: Wraps the iteration over checksums, for a progress bar; None verifies none.
    """
    is_unknown = or_(Candidate.reason.is_(None), Candidate.reason != reason)
    with reading(sessions) as session:
        found = select(Candidate.id, Candidate.sha256).where(is_unknown)
        rows = session.execute(found.order_by(Candidate.id))
        named = {row.id: row.sha256 for row in rows}
    files = list(images.list_files())
    there = {file.sha256 for file in files if file.sha256}
    with reading(sessions) as session:
        unnamed = list(_find_unnamed(session, files))
    ages = [(file, images.age_s(file.path)) for file in unnamed]
    orphans = [file for file, age_s in ages if age_s is not None and age_s > min_age_s]
    missing = tuple(candidate_id for candidate_id, sha256 in named.items() if sha256 not in there)
    damaged: tuple[int, ...] = ()
    if verify:
        broken = set(_find_broken(images, verify(sorted(there & set(named.values())))))
        damaged = tuple(candidate_id for candidate_id, sha256 in named.items() if sha256 in broken)
    return Disagreement(missing, tuple(orphans), damaged)


def list_checksums(session: Session, candidate_ids: Sequence[int]) -> list[str]:
    """Return the checksums of the candidates' files, each once."""
    found: set[str] = set()
    for ids in _some_at_once(candidate_ids):
        found |= set(session.scalars(select(Candidate.sha256).where(Candidate.id.in_(ids))))
    return sorted(found)


def _find_broken(images: ImageStore, checksums: Iterable[str]) -> Iterator[str]:
    for sha256 in checksums:
        try:
            images.read_bytes(sha256)
        except ImageBroken:
            yield sha256
        except ImageMissing:  # removed since it was listed: the next comparison reports it
            continue


def _find_unnamed(session: Session, files: Sequence[StoredFile]) -> Iterator[StoredFile]:
    for some in _some_at_once(files):
        shas = [file.sha256 for file in some if file.sha256 is not None]
        named = set(session.scalars(select(Candidate.sha256).where(Candidate.sha256.in_(shas))))
        paid = select(LlmAnswer.image_sha256).where(LlmAnswer.image_sha256.in_(shas))
        named |= set(session.scalars(paid))
        yield from (file for file in some if file.sha256 not in named)


def _some_at_once(everything: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(everything), AT_ONCE):
        yield everything[start : start + AT_ONCE]
