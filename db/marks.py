"""Marks: what people say of candidates, good or bad; a history, of which the newest stands."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Candidate, Mark
from chatgenimage.db.states import Marked, Origin, Verdict

AUTHOR_LENGTH = 200
PAGE_ROWS = 1000


def add_mark(session: Session, candidate_id: int, *, is_good: bool | None, author: str) -> None:
    """Remember what a person says of a candidate.

    Args:
        session: Of a writing transaction.
        candidate_id: Whom it is about.
        is_good: None takes back what was said before.
        author: Who says so, as user@host; what is longer than the column is cut.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    if session.scalar(select(Candidate.id).where(Candidate.id == candidate_id)) is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists those there are.")
    session.add(Mark(candidate_id=candidate_id, is_good=is_good, author=author[:AUTHOR_LENGTH]))
    session.flush()


def iter_marks(session: Session, run_id: int) -> Iterator[tuple[int, bool]]:
    """Yield the marked candidates of a run by id, and whether each is marked as good."""
    query = (
        select(Mark.candidate_id, Mark.is_good)
        .join(Candidate, Candidate.id == Mark.candidate_id)
        .where(Candidate.run_id == run_id, Mark.id == _newest(), Mark.is_good.is_not(None))
        .order_by(Mark.candidate_id)
    )
    for candidate_id, is_good in session.execute(query.execution_options(yield_per=PAGE_ROWS)):
        yield candidate_id, bool(is_good)


def is_marked(said: Marked) -> ColumnElement[bool]:
    """Return the condition that this is what people say of a candidate."""
    if said is Marked.NONE:
        return Candidate.id.not_in(ids_marked(Marked.GOOD).union_all(ids_marked(Marked.BAD)))
    return Candidate.id.in_(ids_marked(said))


def ids_marked(said: Marked) -> Select[int]:
    """Return the query for the ids of those that people find good, or bad."""
    is_said = Mark.is_good.is_(said is Marked.GOOD)
    return select(Mark.candidate_id).where(is_said, Mark.id == _newest())


def newest_mark() -> ScalarSelect[bool | None]:
    """Return what to select beside candidates: whether each is marked as good, else NULL."""
    query = select(Mark.is_good).where(Mark.candidate_id == Candidate.id)
    return query.order_by(Mark.id.desc()).limit(1).correlate(Candidate).scalar_subquery()


def count_marks(session: Session, run_id: int) -> Counter[tuple[Origin, Verdict, bool]]:
    """Return how many judged and marked candidates a run has, by origin, verdict and mark."""
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
