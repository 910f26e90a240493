"""Pagination of candidates: pages, previous and next candidates, siblings and near-duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from chatgenimage.db.classes import list_picture_classes, runs_of_pictures
from chatgenimage.db.domains import is_of_domain
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Candidate, Label
from chatgenimage.db.queries import IN_ORDER, CandidateFilter, ids_in_order
from chatgenimage.db.ranking import Ranking, find_before, list_ranked
from chatgenimage.db.states import Verdict


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The previous and the next candidate in a filtered list."""

    before: int | None
    after: int | None


def list_page(
    session: Session,
    wanted: CandidateFilter,
    *,
    after: int | None,
    limit: int,
    ranking: Ranking | None = None,
) -> Sequence[int]:
    """Return the ids of the candidates after `after` in order; from the first if None.

    Without a ranking the order is that of `db.queries.iter_candidates`.

    Raises:
        RowNotFound: If there is no candidate with the id `after`.
    """
    if ranking is not None:
        return list_ranked(session, wanted, ranking, after=after, limit=limit)
    some = replace(wanted, limit=limit)
    query = ids_in_order(session, some) if after is None else page_after(session, some, after)
    return session.scalars(query).all()


def page_after(session: Session, wanted: CandidateFilter, after: int) -> Select[int]:
    """Return the query for the ids of the candidates after one, up to the limit.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    return ids_in_order(session, wanted).where(_is_after(session, wanted, after))


def find_neighbours(
    session: Session, wanted: CandidateFilter, candidate_id: int, ranking: Ranking | None = None
) -> Neighbours:
    """Return the previous and next candidate; the given one need not match the filter.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    if ranking is not None:
        after = list_ranked(session, wanted, ranking, after=candidate_id, limit=1)
        before = find_before(session, wanted, ranking, candidate_id)
        return Neighbours(before, next(iter(after), None))
    forwards = ids_in_order(session, replace(wanted, limit=1))
    backwards = forwards.order_by(None).order_by(*(column.desc() for column in IN_ORDER))
    return Neighbours(
        before=session.scalar(backwards.where(_is_before(session, wanted, candidate_id))),
        after=session.scalar(forwards.where(_is_after(session, wanted, candidate_id))),
    )


def list_siblings(session: Session, candidate: Candidate, limit: int) -> Sequence[int]:
    """Return the ids of other candidates with the same parent."""
    if candidate.parent_id is None:
        return ()
    query = (
        select(Candidate.id)
        .where(Candidate.parent_id == candidate.parent_id, Candidate.id != candidate.id)
        .order_by(Candidate.key)
    )
    return session.scalars(query.limit(limit)).all()


def list_repeats(session: Session, candidate: Candidate, limit: int) -> Sequence[int]:
    """Return the ids of its near-duplicates: the better one, or those that it is better than."""
    better = candidate.duplicate_of_id or candidate.id
    is_of_group = or_(Candidate.id == better, Candidate.duplicate_of_id == better)
    query = select(Candidate.id).where(is_of_group, Candidate.id != candidate.id)
    return session.scalars(query.order_by(Candidate.id).limit(limit)).all()


def list_samples(session: Session, run_id: int, limit: int) -> Sequence[int]:
    """Return the ids of some accepted candidates of the first labels and their domains."""
    labels = select(Label.id, Label.domains).where(Label.run_id == run_id)
    first = session.execute(labels.order_by(Label.id).limit(limit))
    cells = [(id_, name) for id_, names in first for name in names or (None,)]
    cells = cells[:limit]
    each = -(-limit // max(len(cells), 1))
    ids: list[int] = []
    for label_id, domain in cells:
        is_of_label = and_(Candidate.run_id == run_id, Candidate.label_id == label_id)
        query = select(Candidate.id).where(is_of_label, Candidate.verdict == Verdict.ACCEPTED)
        if domain is not None:
            query = query.where(is_of_domain([domain]))
        ids += session.scalars(query.order_by(*IN_ORDER).limit(each)).all()
    return ids[:limit]


def list_newest(session: Session, run_id: int, limit: int) -> Sequence[int]:
    """Return the ids of the newest candidates of a run, newest first."""
    is_of_run = Candidate.run_id + 0 == run_id  # makes SQLite read the ids backwards, no sort
    query = select(Candidate.id).where(is_of_run).order_by(Candidate.id.desc())
    return session.scalars(query.limit(limit)).all()


def list_label_names(session: Session, run_id: int | None, limit: int) -> Sequence[str]:
    """Return the requested labels and the classes of pictures, sorted; no titles of pictures."""
    query: Select[str] = select(Label.name).where(Label.run_id.not_in(runs_of_pictures()))
    query = query.distinct().order_by(Label.name).limit(limit)
    labels = session.scalars(query if run_id is None else query.where(Label.run_id == run_id))
    return sorted({*labels, *list_picture_classes(session, run_id)})[:limit]


def has_image(session: Session, sha256: str) -> bool:
    """Return whether a candidate has this image."""
    return (
        session.scalar(select(Candidate.id).where(Candidate.sha256 == sha256).limit(1)) is not None
    )


def _is_after(session: Session, wanted: CandidateFilter, candidate_id: int) -> ColumnElement[bool]:
    """Return the condition that a candidate comes after another in order."""
    run_id, label_id, key = _place_of(session, candidate_id)
    if wanted.run_id == run_id:  # then an index starts at the other candidate
        return tuple_(Candidate.label_id, Candidate.key) > (label_id, key)
    return tuple_(*IN_ORDER) > (run_id, label_id, key)


def _is_before(session: Session, wanted: CandidateFilter, candidate_id: int) -> ColumnElement[bool]:
    run_id, label_id, key = _place_of(session, candidate_id)
    if wanted.run_id == run_id:
        return tuple_(Candidate.label_id, Candidate.key) < (label_id, key)
    return tuple_(*IN_ORDER) < (run_id, label_id, key)


def _place_of(session: Session, candidate_id: int) -> tuple[int, int, str]:
    found = session.execute(select(*IN_ORDER).where(Candidate.id == candidate_id)).one_or_none()
    if found is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists the candidates.")
    run_id, label_id, key = found
    return run_id, label_id, key
