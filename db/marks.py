"""Reviews: people rate candidates as good or bad; all are stored, the newest one counts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Candidate, Mark
from chatgenimage.db.states import Marked, Origin, Verdict

AUTHOR_LENGTH = 200
PAGE_ROWS = 1000


def add_mark(session: Session, candidate_id: int, *, is_good: bool | None, author: str) -> None:
    """Add a person's review of a candidate.

    Args:
        session: A writing transaction.
        candidate_id: Id of the candidate.
        is_good: None withdraws earlier reviews.
        author: The reviewer, as user@host; cut to the length of the column.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    add_marks(session, {candidate_id: is_good}, author)


def add_marks(
    session: Session, marks: Mapping[int, bool | None], author: str
) -> dict[int, bool | None]:
    """Add a person's reviews of candidates by id; return their reviews before, None if none.

    Raises:
        RowNotFound: If one of the candidates does not exist.
    """
    before: dict[int, bool | None] = {}
    ids = iter(marks)
    while page := list(islice(ids, PAGE_ROWS)):
        query = select(Candidate.id, newest_mark()).where(Candidate.id.in_(page))
        before |= {candidate_id: is_good for candidate_id, is_good in session.execute(query)}  # noqa: C416  # rows are no pairs for mypy
    for candidate_id in marks:
        if candidate_id not in before:
            raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists the candidates.")
    session.add_all(
        Mark(candidate_id=candidate_id, is_good=is_good, author=author[:AUTHOR_LENGTH])
        for candidate_id, is_good in marks.items()
    )
    session.flush()
    return before


def iter_marks(session: Session, run_id: int) -> Iterator[tuple[int, bool]]:
    """Yield the id of each reviewed candidate of a run, and whether its review is good."""
    query = (
        select(Mark.candidate_id, Mark.is_good)
        .join(Candidate, Candidate.id == Mark.candidate_id)
        .where(Candidate.run_id == run_id, Mark.id == _newest(), Mark.is_good.is_not(None))
        .order_by(Mark.candidate_id)
    )
    for candidate_id, is_good in session.execute(query.execution_options(yield_per=PAGE_ROWS)):
        yield candidate_id, bool(is_good)


def is_marked(said: Marked) -> ColumnElement[bool]:
    """Return the condition that a candidate has this review."""
    if said is Marked.NONE:
        return Candidate.id.not_in(ids_marked(Marked.GOOD).union_all(ids_marked(Marked.BAD)))
    return Candidate.id.in_(ids_marked(said))


def ids_marked(said: Marked) -> Select[int]:
    """Return the query for the ids of candidates with this review."""
    is_said = Mark.is_good.is_(said is Marked.GOOD)
    return select(Mark.candidate_id).where(is_said, Mark.id == _newest())


def newest_mark() -> ScalarSelect[bool | None]:
    """Return a column to select with candidates: whether the newest review is good, or NULL."""
    query = select(Mark.is_good).where(Mark.candidate_id == Candidate.id)
    return query.order_by(Mark.id.desc()).limit(1).correlate(Candidate).scalar_subquery()


def count_marks(session: Session, run_id: int) -> Counter[tuple[Origin, Verdict, bool]]:
    """Return how many filtered and reviewed candidates a run has, by origin, verdict and review."""
    query = (
        select(Candidate.origin, Candidate.verdict, Mark.is_good, func.count())
        .join(Mark, Mark.candidate_id == Candidate.id)
        .where(
            Candidate.run_id == run_id,
            Candidate.verdict.is_not(None),
            Mark.is_good.is_not(None),
            Mark.id == _newest(),
        )
        .group_by(Candidate.origin, Candidate.verdict, Mark.is_good)
    )
    return Counter(
        {
            (Origin(origin), Verdict(verdict), bool(is_good)): count
            for origin, verdict, is_good, count in session.execute(query)
            if verdict is not None
        }
    )


def _newest() -> ScalarSelect[int]:
    of_same = aliased(Mark)
    query = select(func.max(of_same.id)).where(of_same.candidate_id == Mark.candidate_id)
    return query.correlate(Mark).scalar_subquery()
