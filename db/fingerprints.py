"""Fingerprints in the database: read them, and store which candidates are near-duplicates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Fingerprint, Label, Score
from chatgenimage.db.states import Verdict

IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """A run, or one label of it."""

    run_id: int
    label_id: int | None = None

    def holds(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions that a candidate is in the scope."""
        yield Candidate.run_id == self.run_id
        if self.label_id is not None:
            yield Candidate.label_id == self.label_id


@dataclass(frozen=True, slots=True)
class StoredFingerprint:
    """A filtered candidate with its perceptual hash.

    Attributes:
        score: The score that decides which of two is better; None if it was not measured.
    """

    candidate_id: int
    label_id: int
    label: str
    key: str
    verdict: str | None
    reason: str | None
    phash: str
    score: float | None


@dataclass(frozen=True, slots=True)
class FoundTwin:
    """The better candidate that a candidate resembles most.

    Attributes:
        is_duplicate: Whether they are so alike that it is rejected as a near-duplicate.
    """

    candidate_id: int
    twin_id: int
    similarity: float
    is_duplicate: bool


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


def write_twins(  # noqa: PLR0913  # scope, twins and three names to store
    session: Session,
    scope: Scope,
    twins: Sequence[FoundTwin],
    *,
    score: str,
    limit: float,
    reason: str,
) -> None:
    """Replace the stored near-duplicates: scores, `duplicate_of_id`, verdicts and reasons."""
    within = tuple(scope.holds())
    session.execute(
        delete(Score)
        .where(Score.name == score, Score.candidate_id.in_(select(Candidate.id).where(*within)))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Candidate)
        .where(*within, Candidate.reason == reason)
        .values(verdict=Verdict.ACCEPTED, reason=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Candidate)
        .where(*within, Candidate.duplicate_of_id.is_not(None))
        .values(duplicate_of_id=None)
        .execution_options(synchronize_session=False)
    )
    if twins:
        session.execute(insert(Score), [_score_row(twin, score, limit) for twin in twins])
    duplicates = [twin for twin in twins if twin.is_duplicate]
    if duplicates:
        session.connection().execute(
            update(Candidate)
            .where(Candidate.id == bindparam("candidate"))
            .values(verdict=Verdict.REJECTED, reason=reason, duplicate_of_id=bindparam("better")),
            [{"candidate": twin.candidate_id, "better": twin.twin_id} for twin in duplicates],
        )


def _score_row(twin: FoundTwin, score: str, limit: float) -> Mapping[str, object]:
    return {
        "candidate_id": twin.candidate_id,
        "name": score,
        "value": twin.similarity,
        "threshold": limit,
        "passed": not twin.is_duplicate,
    }
