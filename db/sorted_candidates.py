"""Candidates sorted by a score, by the number of their objects, or by id."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.models import Candidate, Score
from chatgenimage.db.queries import (
    IN_ORDER,
    PAGE_ROWS,
    CandidateFilter,
    conditions,
    find_few,
    list_candidates,
)

COLUMNS: dict[str, ColumnElement[int]] = {
    "id": Candidate.id.expression,
    "objects": Candidate.object_count.expression,
}
"""Columns to sort by, by name; any other name is a score's."""


@dataclass(frozen=True, slots=True)
class Order:
    """A name of `COLUMNS` or of a score, and the direction."""

    by: str
    is_descending: bool = False


def iter_sorted(session: Session, wanted: CandidateFilter, order: Order) -> Iterator[Candidate]:
    """Yield candidates in an order; those without the score come last.

    Each is loaded with what `db.queries.iter_candidates` loads, a page of rows at a time.
    """
    ids = islice(_iter_ids(session, wanted, order), wanted.limit)
    while page := list(islice(ids, PAGE_ROWS)):
        yield from list_candidates(session, page)


def _iter_ids(session: Session, wanted: CandidateFilter, order: Order) -> Iterator[int]:
    few = find_few(session, wanted)
    among = () if few is None else (Candidate.id.in_(few),)
    every = select(Candidate.id).where(*among, *conditions(wanted)).limit(wanted.limit)
    if order.by in COLUMNS:
        queries = [every.order_by(_directed(COLUMNS[order.by], order), *IN_ORDER)]
    else:
        queries = list(_by_score(every, order))
    for query in queries:
        yield from session.scalars(query.execution_options(yield_per=PAGE_ROWS))


def _by_score(every: Select[int], order: Order) -> Iterator[Select[int]]:
    """Yield the queries for the candidates with the score, by an index, and for the others."""
    score, other = aliased(Score), aliased(Score)
    yield (
        every.join(score, score.candidate_id == Candidate.id)
        .where(score.name == order.by)
        .order_by(_directed(score.value.expression, order), Candidate.id)
    )
    has_score = select(other.id).where(other.candidate_id == Candidate.id, other.name == order.by)
    yield every.where(~has_score.exists()).order_by(*IN_ORDER)


def _directed(
    column: ColumnElement[int] | ColumnElement[float], order: Order
) -> ColumnElement[int] | ColumnElement[float]:
    return column.desc() if order.is_descending else column.asc()
