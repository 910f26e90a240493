"""What a person asks who looks through candidates: a page of them, neighbours, relatives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session

from db.errors import RowNotFound
from db.models import Candidate, Label
from db.queries import IN_ORDER, CandidateFilter, ids_in_order
from db.states import Verdict


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who comes before and after a candidate among those that are looked through."""

    before: int | None
    after: int | None


def list_page(
    session: Session, wanted: CandidateFilter, *, after: int | None, limit: int
) -> Sequence[int]:
    """Return the ids of the candidates that follow one in order; of the first if None.

    Raises:
        RowNotFound: If there is no candidate with the id `after`.
    """
    query = ids_in_order(session, replace(wanted, limit=limit))
    if after is not None:
        query = query.where(_place() > _place_of(session, after))
    return session.scalars(query).all()


def find_neighbours(session: Session, wanted: CandidateFilter, candidate_id: int) -> Neighbours:
    """Return the nearest on both sides; the candidate itself need not be wanted.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    place = _place_of(session, candidate_id)
    query = ids_in_order(session, replace(wanted, limit=1))
    backwards = query.order_by(None).order_by(*(column.desc() for column in IN_ORDER))
    return Neighbours(
        before=session.scalar(backwards.where(_place() < place)),
        after=session.scalar(query.where(_place() > place)),
    )


def list_siblings(session: Session, candidate: Candidate, limit: int) -> Sequence[int]:
    """Return the ids of the others that were made from the same parent."""
    if candidate.parent_id is None:
        return ()
    query = (
        select(Candidate.id)
        .where(Candidate.parent_id == candidate.parent_id, Candidate.id != candidate.id)
        .order_by(Candidate.key)
    )
    return session.scalars(query.limit(limit)).all()


def list_samples(session: Session, run_id: int, limit: int) -> Sequence[int]:
    """Return the ids of some accepted candidates of different labels and origins."""
    query = (
        select(func.max(Candidate.id))
        .where(Candidate.run_id == run_id, Candidate.verdict == Verdict.ACCEPTED)
        .group_by(Candidate.origin, Candidate.label_id)
        .order_by(Candidate.origin, Candidate.label_id)
    )
    return session.scalars(query.limit(limit)).all()


def list_newest(session: Session, run_id: int, limit: int) -> Sequence[int]:
    """Return the ids of the candidates that a run made last, newest first."""
    query = select(Candidate.id).where(Candidate.run_id == run_id)
    return session.scalars(query.order_by(Candidate.id.desc()).limit(limit)).all()


def list_label_names(session: Session, run_id: int | None, limit: int) -> Sequence[str]:
    """Return the labels that were asked for, sorted."""
    query: Select[str] = select(Label.name).distinct().order_by(Label.name).limit(limit)
    return session.scalars(query if run_id is None else query.where(Label.run_id == run_id)).all()


def has_image(session: Session, sha256: str) -> bool:
    """Return whether a candidate shows this image."""
    return (
        session.scalar(select(Candidate.id).where(Candidate.sha256 == sha256).limit(1)) is not None
    )


def _place() -> ColumnElement[tuple[int, int, str]]:
    return tuple_(*IN_ORDER)


def _place_of(session: Session, candidate_id: int) -> ColumnElement[tuple[int, int, str]]:
    found = session.execute(select(*IN_ORDER).where(Candidate.id == candidate_id)).one_or_none()
    if found is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists those there are.")
    return tuple_(*found)
