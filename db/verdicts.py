"""Verdicts: every write of a candidate's verdict, and the history of those that changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.fingerprints import IDS_AT_ONCE, Scope
from chatgenimage.db.models import Batch, Candidate, Label, Rejudging, Score, VerdictChange
from chatgenimage.db.states import Origin, Verdict

BATCHES_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class JudgedCandidate:
    """A candidate that has a verdict, with its scores by name."""

    candidate_id: int
    label: str
    origin: Origin
    round: int
    parent_id: int | None
    verdict: Verdict
    reason: str | None
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ChangedVerdict:
    """A verdict or reason of a candidate, before and after judging it again."""

    candidate_id: int
    label: str
    verdict_before: Verdict
    reason_before: str | None
    verdict_after: Verdict
    reason_after: str | None


@dataclass(frozen=True, slots=True)
class ScoreLimit:
    """The threshold of one score for candidates of one origin.

    Attributes:
        at_most: True where lower is better.
    """

    origin: Origin
    name: str
    value: float
    at_most: bool


@dataclass(frozen=True, slots=True)
class DuplicateScore:
    """A candidate and the better one that it resembles most.

    Attributes:
        similarity: Cosine of their CLIP embeddings, in [-1, 1].
        is_duplicate: Whether they are so similar that the candidate is rejected.
    """

    candidate_id: int
    better_id: int
    similarity: float
    is_duplicate: bool


def iter_judged(session: Session, run_id: int) -> Iterator[list[JudgedCandidate]]:
    """Yield the filtered candidates of some batches at a time, parents before their children.

    A family is always in one batch, so each page has whole families.
    """
    batches = session.scalars(select(Batch.id).where(Batch.run_id == run_id).order_by(Batch.id))
    ids = batches.all()
    for start in range(0, len(ids), BATCHES_PER_PAGE):
        yield _judged_of(session, ids[start : start + BATCHES_PER_PAGE])


def find_last_rejudging(session: Session, run_id: int) -> Rejudging | None:
    """Return the latest rejudging of a run, None if the run was judged once only."""
    return session.scalar(
        select(Rejudging).where(Rejudging.run_id == run_id).order_by(Rejudging.id.desc()).limit(1)
    )


def list_rejudgings(session: Session, run_id: int) -> Sequence[Rejudging]:
    """Return all refilters of a run, oldest first."""
    query = select(Rejudging).where(Rejudging.run_id == run_id).order_by(Rejudging.id)
    return session.scalars(query).all()


def list_changes(session: Session, candidate_id: int) -> Sequence[tuple[Rejudging, VerdictChange]]:
    """Return the changes of a candidate by refilters, oldest first."""
    rows = session.execute(
        select(Rejudging, VerdictChange)
        .join(VerdictChange, VerdictChange.rejudging_id == Rejudging.id)
        .where(VerdictChange.candidate_id == candidate_id)
        .order_by(Rejudging.id)
    )
    return [(rejudging, change) for rejudging, change in rows]


def set_verdict(candidate: Candidate, verdict: Verdict, reason: str | None = None) -> None:
    """Judge a candidate that is in memory; the session writes it.

    Args:
        candidate: In an open transaction.
        verdict: What the filters decided.
        reason: The first rule that failed; None if it is accepted.
    """
    candidate.verdict, candidate.reason = verdict, reason


def reject(session: Session, candidate_ids: Sequence[int], reason: str) -> None:
    """Reject candidates by id; their rows, labels and descendants stay."""
    for start in range(0, len(candidate_ids), IDS_AT_ONCE):
        session.execute(
            update(Candidate)
            .where(Candidate.id.in_(candidate_ids[start : start + IDS_AT_ONCE]))
            .values(verdict=Verdict.REJECTED, reason=reason)
            .execution_options(synchronize_session=False)
        )


def write_changes(
    session: Session, rejudging: Rejudging, changes: Sequence[ChangedVerdict]
) -> None:
    """Give the candidates their new verdicts and store the old ones."""
    if not changes:
        return
    session.connection().execute(
        update(Candidate)
        .where(Candidate.id == bindparam("candidate"))
        .values(verdict=bindparam("verdict_after"), reason=bindparam("reason_after")),
        [
            {
                "candidate": change.candidate_id,
                "verdict_after": change.verdict_after,
                "reason_after": change.reason_after,
            }
            for change in changes
        ],
    )
    session.execute(
        insert(VerdictChange),
        [
            {
                "rejudging_id": rejudging.id,
                "candidate_id": change.candidate_id,
                "verdict_before": change.verdict_before,
                "reason_before": change.reason_before,
                "verdict_after": change.verdict_after,
                "reason_after": change.reason_after,
            }
            for change in changes
        ],
    )


def write_ranks(session: Session, name: str, ranks: Mapping[int, int | None]) -> None:
    """Replace the score `name` of these candidates by their new rank; None removes it."""
    if not ranks:
        return
    ids = list(ranks)
    session.execute(delete(Score).where(Score.name == name, Score.candidate_id.in_(ids)))
    rows = [
        {"candidate_id": candidate_id, "name": name, "value": float(place)}
        for candidate_id, place in ranks.items()
        if place is not None
    ]
    if rows:
        session.execute(insert(Score), rows)


def write_limit(session: Session, run_id: int, limit: ScoreLimit) -> None:
    """Hold a score of a run's judged candidates to a threshold."""
    judged = select(Candidate.id).where(
        Candidate.run_id == run_id,
        Candidate.origin == limit.origin,
        Candidate.verdict.is_not(None),
    )
    passed = Score.value <= limit.value if limit.at_most else Score.value >= limit.value
    session.execute(
        update(Score)
        .where(Score.name == limit.name, Score.candidate_id.in_(judged))
        .values(threshold=limit.value, passed=passed)
        .execution_options(synchronize_session=False)
    )


def replace_duplicates(  # noqa: PLR0913  # where, which, and how score and reason are called
    session: Session,
    scope: Scope,
    matches: Sequence[DuplicateScore],
    *,
    score: str,
    limit: float,
    reason: str,
) -> None:
    """Replace the scores, links and verdicts of near-duplicates within a scope.

    Args:
        session: An open transaction.
        scope: Whose earlier near-duplicates are forgotten, and accepted again.
        matches: Those that were found now.
        score: Name of the score that the similarity is stored as.
        limit: Its threshold.
        reason: Why a near-duplicate is rejected.
    """
    _forget_duplicates(session, scope, score, reason)
    if matches:
        session.execute(insert(Score), [_score_row(match, score, limit) for match in matches])
    duplicates = [match for match in matches if match.is_duplicate]
    if duplicates:
        session.connection().execute(
            update(Candidate)
            .where(Candidate.id == bindparam("candidate"))
            .values(verdict=Verdict.REJECTED, reason=reason, duplicate_of_id=bindparam("better")),
            [{"candidate": match.candidate_id, "better": match.better_id} for match in duplicates],
        )


def _forget_duplicates(session: Session, scope: Scope, score: str, reason: str) -> None:
    """Accept again what was rejected as near-duplicates, and delete their scores and links."""
    within = tuple(scope.holds())
    ids = select(Candidate.id).where(*within)
    rejected = update(Candidate).where(*within, Candidate.reason == reason)
    linked = update(Candidate).where(*within, Candidate.duplicate_of_id.is_not(None))
    for statement in (
        delete(Score).where(Score.name == score, Score.candidate_id.in_(ids)),
        rejected.values(verdict=Verdict.ACCEPTED, reason=None),
        linked.values(duplicate_of_id=None),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


def _score_row(match: DuplicateScore, score: str, limit: float) -> Mapping[str, object]:
    return {
        "candidate_id": match.candidate_id,
        "name": score,
        "value": match.similarity,
        "threshold": limit,
        "passed": not match.is_duplicate,
    }


def _judged_of(session: Session, batch_ids: Sequence[int]) -> list[JudgedCandidate]:
    """Return the judged candidates of batches with their scores, in the order of their keys."""
    judged = Candidate.verdict.is_not(None)
    scores: dict[int, dict[str, float]] = defaultdict(dict)
    for candidate_id, name, value in session.execute(
        select(Score.candidate_id, Score.name, Score.value)
        .join(Candidate, Candidate.id == Score.candidate_id)
        .where(Candidate.batch_id.in_(batch_ids), judged)
    ):
        scores[candidate_id][name] = value
    rows = session.execute(
        select(
            Candidate.id,
            Label.name,
            Candidate.origin,
            Candidate.round,
            Candidate.parent_id,
            Candidate.verdict,
            Candidate.reason,
        )
        .join(Label, Label.id == Candidate.label_id)
        .where(Candidate.batch_id.in_(batch_ids), judged)
        .order_by(Candidate.label_id, Candidate.key)
    )
    return [
        JudgedCandidate(
            key, label, Origin(origin), number, parent, Verdict(verdict), reason, scores[key]
        )
        for key, label, origin, number, parent, verdict, reason in rows
        if verdict is not None
    ]
