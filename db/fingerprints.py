"""Fingerprints: what near-duplicates are found by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Fingerprint, Label, Score

IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """The candidates of a run, or of one label of it."""

    run_id: int
    label_id: int | None = None

    def holds(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions that a candidate is within."""
        yield Candidate.run_id == self.run_id
        if self.label_id is not None:
            yield Candidate.label_id == self.label_id


@dataclass(frozen=True, slots=True)
class StoredFingerprint:
    """A filtered candidate with its perceptual hash.

    Attributes:
        area_px: Width times height of the stored image.
        score: The score that decides which of two is better; None if it was not measured.
    """

    candidate_id: int
    label_id: int
    label: str
    key: str
    verdict: str | None
    reason: str | None
    phash: str
    area_px: int
    score: float | None


def list_fingerprints(session: Session, scope: Scope, score: str) -> list[StoredFingerprint]:
    """Return the filtered candidates with a fingerprint, each with its value of `score`."""
    of_score = (Score.candidate_id == Candidate.id) & (Score.name == score)
    rows = session.execute(
        select(
            Candidate.id,
            Candidate.label_id,
            Label.name,
            Candidate.key,
            Candidate.verdict,
            Candidate.reason,
            Fingerprint.phash,
            Candidate.width_px * Candidate.height_px,
            Score.value,
        )
        .join(Label, Label.id == Candidate.label_id)
        .join(Fingerprint, Fingerprint.candidate_id == Candidate.id)
        .outerjoin(Score, of_score)
        .where(*scope.holds(), Candidate.verdict.is_not(None))
    )
    return [StoredFingerprint(*row) for row in rows]


def load_embeddings(session: Session, candidate_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the packed embeddings of candidates by id."""
    found: dict[int, bytes] = {}
    for start in range(0, len(candidate_ids), IDS_AT_ONCE):
        some = candidate_ids[start : start + IDS_AT_ONCE]
        rows = session.scalars(select(Fingerprint).where(Fingerprint.candidate_id.in_(some)))
        found |= {row.candidate_id: row.embedding for row in rows}
    return found
