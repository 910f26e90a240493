"""Marks: what people say of candidates, good or bad; a history, of which the newest stands."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from db.errors import RowNotFound
from db.models import Candidate, Mark

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


def current_marks(session: Session, candidate_ids: Iterable[int]) -> dict[int, bool]:
    """Return whether candidates are marked as good, by id; who is not marked is not in it."""
    ids = list(candidate_ids)
    found: dict[int, bool] = {}
    for start in range(0, len(ids), PAGE_ROWS):
        query = _standing().where(Mark.candidate_id.in_(ids[start : start + PAGE_ROWS]))
        found.update(_told(session, query))
    return found


def iter_marks(session: Session, run_id: int) -> Iterator[tuple[int, bool]]:
    """Yield the marked candidates of a run by id, and whether each is marked as good."""
    of_run = _standing().join(Candidate, Candidate.id == Mark.candidate_id)
    query = of_run.where(Candidate.run_id == run_id).order_by(Mark.candidate_id)
    yield from _told(session, query)


def _told(session: Session, query: Select[int, bool | None]) -> Iterator[tuple[int, bool]]:
    for candidate_id, is_good in session.execute(query.execution_options(yield_per=PAGE_ROWS)):
        if is_good is not None:
            yield candidate_id, is_good


def _standing() -> Select[int, bool | None]:
    """Return the query for the newest mark of each candidate, those included that take back."""
    of_same = aliased(Mark)
    newest = select(func.max(of_same.id)).where(of_same.candidate_id == Mark.candidate_id)
    return select(Mark.candidate_id, Mark.is_good).where(Mark.id == newest.scalar_subquery())
