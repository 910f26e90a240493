"""Rankings of candidates by a score, by their objects or by time, in pages of constant cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Annotation, Candidate, Score
from chatgenimage.db.object_conditions import is_object
from chatgenimage.db.queries import CandidateFilter, conditions, find_few
from chatgenimage.db.ranges import OPEN, is_within

NEWEST: Final = "newest"
CONFIDENCE: Final = "confidence"
AREA: Final = "size"
Number = ColumnElement[float] | ColumnElement[int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """An order of candidates; those without the value come last, by id.

    Attributes:
        by: `NEWEST`, `CONFIDENCE` or `AREA` of an object, or the name of a score. Of the objects
            that the filter asks for (all, if it asks for none) the greatest value counts.
        is_ascending: Whether the least value, or the oldest candidate, is first.
    """

    by: str
    is_ascending: bool = False


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The rows with a value: one per candidate."""

    candidate_id: ColumnElement[int]
    value: Number
    clauses: tuple[ColumnElement[bool], ...] = ()


def list_ranked(
    session: Session, wanted: CandidateFilter, ranking: Ranking, *, after: int | None, limit: int
) -> list[int]:
    """Return the ids of the candidates after `after`; from the first if None.

    Raises:
        RowNotFound: If there is no candidate with the id `after`.
    """
    found: list[int] = []
    ranked, allowed = _rows(wanted, ranking), _conditions(session, wanted)
    value = None if after is None else _value_of(session, ranked, after)
    if after is None or value is not None:
        place = None if after is None or value is None else (value, after)
        query = _with_value(ranked, allowed, place, is_ascending=ranking.is_ascending)
        found += session.scalars(query.limit(limit))
    if len(found) < limit:
        start = after if value is None else None
        rest = _without_value(ranked, allowed)
        if start is not None:
            rest = rest.where(Candidate.id > start)
        found += session.scalars(rest.order_by(Candidate.id).limit(limit - len(found)))
    return found


def find_before(
    session: Session, wanted: CandidateFilter, ranking: Ranking, candidate_id: int
) -> int | None:
    """Return the candidate before another one; None: it is the first.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    ranked, allowed = _rows(wanted, ranking), _conditions(session, wanted)
    value = _value_of(session, ranked, candidate_id)
    if value is None:
        rest = _without_value(ranked, allowed).where(Candidate.id < candidate_id)
        before = session.scalar(rest.order_by(Candidate.id.desc()).limit(1))
        if before is not None:
            return before
    place = None if value is None else (value, candidate_id)
    query = _with_value(ranked, allowed, place, is_ascending=not ranking.is_ascending)
    return session.scalar(query.limit(1))


def _rows(wanted: CandidateFilter, ranking: Ranking) -> _Ranked:
    if ranking.by == NEWEST:
        candidate = aliased(Candidate)
        return _Ranked(candidate.id.expression, candidate.id.expression)
    if ranking.by in {CONFIDENCE, AREA}:
        return _objects(wanted, ranking.by)
    score = aliased(Score)
    limits = is_within(score.value.expression, wanted.scores.get(ranking.by, OPEN))
    clauses = (score.name == ranking.by, *limits)
    return _Ranked(score.candidate_id.expression, score.value.expression, clauses)


def _objects(wanted: CandidateFilter, by: str) -> _Ranked:
    """Return each candidate's object with the greatest value, among those that are asked for."""
    found, other = aliased(Annotation), aliased(Annotation)
    value, rival = (
        (one.confidence.expression if by == CONFIDENCE else one.area_px.expression)
        for one in (found, other)
    )
    is_greater = select(other.id).where(
        other.candidate_id == found.candidate_id,
        tuple_(rival, other.id) > tuple_(value, found.id),
        *is_object(other, wanted.object_filter, wanted.objects),
    )
    clauses = (*is_object(found, wanted.object_filter, wanted.objects), ~is_greater.exists())
    return _Ranked(found.candidate_id.expression, value, clauses)


def _conditions(session: Session, wanted: CandidateFilter) -> list[ColumnElement[bool]]:
    few = find_few(session, wanted)
    among = [] if few is None else [Candidate.id.in_(few)]
    return [*among, *conditions(wanted)]


def _with_value(
    ranked: _Ranked,
    allowed: Sequence[ColumnElement[bool]],
    place: tuple[float, int] | None,
    *,
    is_ascending: bool,
) -> Select[int]:
    """Return the query for the candidates with a value, after a place.

    The filter is a subquery, so that SQLite walks through the index of the value.
    """
    key = tuple_(ranked.value, ranked.candidate_id)
    query = select(ranked.candidate_id).where(*ranked.clauses)
    if allowed:
        is_same = Candidate.id == ranked.candidate_id
        query = query.where(select(Candidate.id).where(is_same, *allowed).exists())
    if place is not None:
        query = query.where(key > place if is_ascending else key < place)
    return query.order_by(*_directed(ranked, is_ascending=is_ascending))


def _directed(ranked: _Ranked, *, is_ascending: bool) -> Iterator[Number]:
    for column in (ranked.value, ranked.candidate_id):
        yield column.asc() if is_ascending else column.desc()


def _without_value(ranked: _Ranked, allowed: Sequence[ColumnElement[bool]]) -> Select[int]:
    has_value = select(ranked.candidate_id).where(
        ranked.candidate_id == Candidate.id, *ranked.clauses
    )
    return select(Candidate.id).where(*allowed, ~has_value.correlate(Candidate).exists())


def _value_of(session: Session, ranked: _Ranked, candidate_id: int) -> float | None:
    if session.scalar(select(Candidate.id).where(Candidate.id == candidate_id)) is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists the candidates.")
    query = select(ranked.value).where(ranked.candidate_id == candidate_id, *ranked.clauses)
    return session.scalar(query)
