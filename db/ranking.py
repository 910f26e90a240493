"""Orders of candidates: by id, by their objects or by a score, in pages of constant cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Annotation, Candidate, Score
from chatgenimage.db.object_conditions import is_object
from chatgenimage.db.queries import (
    PAGE_ROWS,
    CandidateFilter,
    conditions,
    find_few,
    list_candidates,
)
from chatgenimage.db.ranges import OPEN, is_within

ID: Final = "id"
OBJECTS: Final = "objects"
CONFIDENCE: Final = "confidence"
AREA: Final = "area"
RANKED_BY = (ID, OBJECTS, CONFIDENCE, AREA)
"""Names to sort by; any other name is a score's."""
Number = ColumnElement[float] | ColumnElement[int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """An order of candidates; those without the value come last, by id.

    Attributes:
        by: A name of `RANKED_BY` or of a score: the id (the time it was made), the number of
            objects, or the greatest confidence or mask area of the objects that the filter asks
            for (of all, if it asks for none).
        is_descending: Whether the greatest value is first; equal ones are sorted by id in the same
            direction.
    """

    by: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The rows with a value: one per candidate, or only for some.

    Attributes:
        has_all: Whether every candidate has a value.
        few: The only candidates that are asked about, if they are few.
    """

    candidate_id: ColumnElement[int]
    value: Number
    clauses: tuple[ColumnElement[bool], ...] = ()
    has_all: bool = False
    few: Sequence[int] | None = None


def iter_ranked(session: Session, wanted: CandidateFilter, ranking: Ranking) -> Iterator[Candidate]:
    """Yield candidates in an order, up to the limit of the filter.

    Each is loaded with what `db.queries.iter_candidates` loads, a page of rows at a time.
    """
    ids = _iter_ids(session, wanted, ranking)
    while page := list(islice(ids, PAGE_ROWS)):
        yield from list_candidates(session, page)


def _iter_ids(session: Session, wanted: CandidateFilter, ranking: Ranking) -> Iterator[int]:
    """Yield the ids; each query is read to its end, which closes its cursor."""
    ranked, allowed = _rows(session, wanted, ranking), list(conditions(wanted))
    queries = [_with_value(ranked, allowed, None, is_descending=ranking.is_descending)]
    if not ranked.has_all:
        queries.append(_without_value(ranked, allowed).order_by(Candidate.id))
    count = 0
    for query in queries:
        left = None if wanted.limit is None else wanted.limit - count
        limited = query.limit(left).execution_options(yield_per=PAGE_ROWS)
        for candidate_id in session.scalars(limited):
            yield candidate_id
            count += 1


def list_ranked(
    session: Session, wanted: CandidateFilter, ranking: Ranking, *, after: int | None, limit: int
) -> list[int]:
    """Return the ids of the candidates after `after`; from the first if None.

    Raises:
        RowNotFound: If there is no candidate with the id `after`.
    """
    found: list[int] = []
    ranked, allowed = _rows(session, wanted, ranking), list(conditions(wanted))
    value = None if after is None else _value_of(session, ranked, after)
    if after is None or value is not None:
        place = None if after is None or value is None else (value, after)
        query = _with_value(ranked, allowed, place, is_descending=ranking.is_descending)
        found += session.scalars(query.limit(limit))
    if len(found) < limit and not ranked.has_all:
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
    ranked, allowed = _rows(session, wanted, ranking), list(conditions(wanted))
    value = _value_of(session, ranked, candidate_id)
    if value is None:
        rest = _without_value(ranked, allowed).where(Candidate.id < candidate_id)
        before = session.scalar(rest.order_by(Candidate.id.desc()).limit(1))
        if before is not None:
            return before
    place = None if value is None else (value, candidate_id)
    query = _with_value(ranked, allowed, place, is_descending=not ranking.is_descending)
    return session.scalar(query.limit(1))


def _rows(session: Session, wanted: CandidateFilter, ranking: Ranking) -> _Ranked:
    """Return the rows with a value; of few candidates only theirs, which then are sorted.

    SQLite has no statistics and would walk through an index of all scores, so it is kept from it.
    """
    few = find_few(session, wanted)
    if ranking.by in {ID, OBJECTS}:
        candidate = aliased(Candidate)
        column = candidate.id if ranking.by == ID else candidate.object_count
        ranked = _Ranked(candidate.id.expression, column.expression, has_all=True)
    elif ranking.by in {CONFIDENCE, AREA}:
        ranked = _objects(wanted, ranking.by)
    else:
        score = aliased(Score)
        name = score.name.expression if few is None else score.name.concat("")
        limits = is_within(score.value.expression, wanted.scores.get(ranking.by, OPEN))
        clauses = (name == ranking.by, *limits)
        ranked = _Ranked(score.candidate_id.expression, score.value.expression, clauses)
    if few is None:
        return ranked
    return replace(ranked, clauses=(ranked.candidate_id.in_(few), *ranked.clauses), few=few)


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


def _with_value(
    ranked: _Ranked,
    allowed: Sequence[ColumnElement[bool]],
    place: tuple[float, int] | None,
    *,
    is_descending: bool,
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
        query = query.where(key < place if is_descending else key > place)
    return query.order_by(*_directed(ranked, is_descending=is_descending))


def _directed(ranked: _Ranked, *, is_descending: bool) -> Iterator[Number]:
    for column in (ranked.value, ranked.candidate_id):
        yield column.desc() if is_descending else column.asc()


def _without_value(ranked: _Ranked, allowed: Sequence[ColumnElement[bool]]) -> Select[int]:
    has_value = select(ranked.candidate_id).where(
        ranked.candidate_id == Candidate.id, *ranked.clauses
    )
    among = () if ranked.few is None else (Candidate.id.in_(ranked.few),)
    lacks_value = ~has_value.correlate(Candidate).exists()
    return select(Candidate.id).where(*among, *allowed, lacks_value)


def _value_of(session: Session, ranked: _Ranked, candidate_id: int) -> float | None:
    if session.scalar(select(Candidate.id).where(Candidate.id == candidate_id)) is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists the candidates.")
    query = select(ranked.value).where(ranked.candidate_id == candidate_id, *ranked.clauses)
    return session.scalar(query)
