"""Corrections of objects by people, as a sentence for a dataset."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from chatgenimage.db.exporting import count_corrections
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.states import ObjectAction


def describe_corrections(session: Session, wanted: CandidateFilter) -> Iterator[str]:
    """Yield a sentence that counts the objects that people corrected, if reviews are used."""
    if not wanted.use_reviews:
        return
    counts = count_corrections(session, wanted)
    changed, added, deleted = (
        counts[action] for action in (ObjectAction.CHANGE, ObjectAction.ADD, ObjectAction.DELETE)
    )
    if changed or added or deleted:
        yield (
            f"Objects that people corrected: {changed} changed, {added} added, {deleted} deleted. "
            "A mask ends at the corrected box; the mask of an added object is its box."
        )
