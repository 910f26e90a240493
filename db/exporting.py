"""Queries of an export that run before it reads the candidates."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, selectinload

from chatgenimage.db.classes import NO_CLASS, classes_asked, runs_of_pictures
from chatgenimage.db.corrected_labels import object_labels
from chatgenimage.db.marks import newest_mark
from chatgenimage.db.models import Candidate, Label, ObjectReview, Run
from chatgenimage.db.queries import IN_ORDER, PAGE_ROWS, CandidateFilter, conditions
from chatgenimage.db.states import ObjectAction

ROOT_PARTS = 2
"""The first parts of a key, which are the key of its root: the initial image or the picture."""


@dataclass(frozen=True, slots=True)
class ExportKey:
    """What decides a candidate's split, and whether an export is up to date.

    Attributes:
        class_name: The label that was asked for; of a picture, the label found with the most
            confidence, or `NO_CLASS`.
        root_sha256: Image of its root: the candidate that it was derived from over any number of
            steps, or itself.
        found: Labels of its objects, each once, highest confidence first.
        corrections: The reviews of its objects that count, if the filter uses reviews.
    """

    candidate_id: int
    run_id: int
    label: str
    parent_id: int | None
    origin: str
    verdict: str | None
    sha256: str
    caption: str | None
    created_at: float
    is_good: bool | None
    class_name: str
    root_sha256: str
    found: tuple[str, ...]
    corrections: tuple[int, ...] = ()


def iter_export_keys(session: Session, wanted: CandidateFilter) -> Iterator[ExportKey]:
    """Yield the export key of each candidate in the order of `iter_candidates`."""
    columns = {
        "candidate_id": Candidate.id,
        "run_id": Candidate.run_id,
        "label": Label.name,
        "parent_id": Candidate.parent_id,
        "origin": Candidate.origin,
        "verdict": Candidate.verdict,
        "sha256": Candidate.sha256,
        "caption": Candidate.caption,
        "created_at": Candidate.created_at,
        "is_good": newest_mark(),
    }
    more = (Candidate.label_id, Candidate.key)
    query = _keys(wanted).with_only_columns(*columns.values(), *more)
    pictures = set(session.scalars(runs_of_pictures()))
    pages = session.execute(query.execution_options(yield_per=PAGE_ROWS)).partitions()
    for page in pages:
        roots = _roots_of(session, page)
        found = _labels_found(session, page, use_reviews=wanted.use_reviews)
        corrections = _corrections_of(session, page) if wanted.use_reviews else {}
        for row in page:
            stored: dict[str, Any] = dict(zip(columns, row, strict=False))
            labels = tuple(found[row.id])
            name = next(iter(labels), NO_CLASS) if row.run_id in pictures else row.name
            root = roots.get((row.label_id, _root_key(row.key)), row.sha256)
            yield ExportKey(
                **stored,
                class_name=name,
                root_sha256=root,
                found=labels,
                corrections=tuple(corrections.get(row.id, ())),
            )


def _keys(wanted: CandidateFilter) -> Select[int, int, str]:
    """Return id, run and label of each candidate."""
    return (
        select(Candidate.id, Candidate.run_id, Label.name)
        .join(Label, Label.id == Candidate.label_id)
        .where(*conditions(wanted))
        .order_by(*IN_ORDER)
        .limit(wanted.limit)
    )


def _roots_of(session: Session, page: Sequence[Any]) -> dict[tuple[int, str], str]:
    """Return the images of the roots of derived candidates, by label and key of the root."""
    derived = [row for row in page if row.parent_id is not None]
    query = select(Candidate.label_id, Candidate.key, Candidate.sha256).where(
        Candidate.label_id.in_({row.label_id for row in derived}),
        Candidate.key.in_({_root_key(row.key) for row in derived}),
    )
    rows = session.execute(query) if derived else ()
    return {(label_id, key): sha256 for label_id, key, sha256 in rows}


def _labels_found(
    session: Session, page: Sequence[Any], *, use_reviews: bool
) -> dict[int, list[str]]:
    """Return the labels of the objects on candidates, highest confidence first."""
    objects = object_labels(use_reviews=use_reviews).c
    query = (
        select(objects.candidate_id, objects.label)
        .where(objects.candidate_id.in_([row.id for row in page]))
        .group_by(objects.candidate_id, objects.label)
        .order_by(objects.candidate_id, func.min(objects.position))
    )
    found: dict[int, list[str]] = defaultdict(list)
    for candidate_id, label in session.execute(query):
        found[candidate_id].append(label)
    return found


def _corrections_of(session: Session, page: Sequence[Any]) -> dict[int, list[int]]:
    """Return the reviews of objects that count, by candidate."""
    query = select(ObjectReview.candidate_id, ObjectReview.id).where(
        ObjectReview.candidate_id.in_([row.id for row in page]), ObjectReview.is_current.is_(True)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for candidate_id, review_id in session.execute(query.order_by(ObjectReview.id)):
        found[candidate_id].append(review_id)
    return found


def _root_key(key: str) -> str:
    return "/".join(key.split("/")[:ROOT_PARTS])


def list_labels_asked(session: Session, wanted: CandidateFilter) -> dict[int, tuple[str, ...]]:
    """Return the labels that were asked for and have candidates here, by run.

    Of a run of pictures, all labels that it looks for were asked for.
    """
    some = _keys(wanted).subquery()
    query = select(some.c.run_id, some.c.name).distinct().order_by(some.c.run_id, some.c.name)
    asked: dict[int, tuple[str, ...]] = {}
    for run_id, label in session.execute(query):
        asked[run_id] = (*asked.get(run_id, ()), label)
    runs = session.scalars(select(Run).where(Run.id.in_(asked)))
    pictures = {run.id: looked for run in runs if (looked := classes_asked(run)) is not None}
    return asked | pictures


@dataclass(frozen=True, slots=True)
class PictureSource:
    """The file that a person's picture was imported from.

    Attributes:
        name: Its name in the folder of the import.
        sha256: Of the file; None if an earlier version imported it.
    """

    candidate_id: int
    name: str
    sha256: str | None


def iter_picture_sources(session: Session, wanted: CandidateFilter) -> Iterator[PictureSource]:
    """Yield the sources of the imported pictures among the candidates of a filter."""
    some = _keys(wanted).subquery()
    query = (
        select(Candidate.id, Candidate.source_name, Candidate.source_sha256)
        .join(some, some.c.id == Candidate.id)
        .where(Candidate.source_name.is_not(None))
        .order_by(Candidate.id)
    )
    for candidate_id, name, sha256 in session.execute(query):
        yield PictureSource(candidate_id, str(name), sha256)


def list_exported_runs(session: Session, wanted: CandidateFilter) -> list[int]:
    """Return the runs of the candidates of a filter."""
    some = _keys(wanted).subquery()
    return list(session.scalars(select(some.c.run_id).distinct().order_by(some.c.run_id)))


def count_objects(session: Session, wanted: CandidateFilter) -> dict[str, int]:
    """Return the number of objects on the candidates of a filter, by label, sorted."""
    some = _keys(wanted).subquery()
    objects = object_labels(use_reviews=wanted.use_reviews).c
    query = select(objects.label, func.count()).group_by(objects.label).order_by(objects.label)
    rows = session.execute(query.join(some, some.c.id == objects.candidate_id))
    return {label: count for label, count in rows}  # noqa: C416  # rows are no pairs for mypy


def count_repeated_images(session: Session, wanted: CandidateFilter, *, derived: bool) -> int:
    """Return how many candidates of a filter have the pixels of another one of them.

    Args:
        session: To read with.
        wanted: The filter.
        derived: Whether only candidates with a parent count.
    """
    some = _keys(wanted).subquery()
    query = select(func.count() - func.count(Candidate.sha256.expression.distinct()))
    query = query.select_from(Candidate).join(some, some.c.id == Candidate.id)
    if derived:
        query = query.where(Candidate.parent_id.is_not(None))
    return session.scalar(query) or 0


def count_corrections(session: Session, wanted: CandidateFilter) -> dict[ObjectAction, int]:
    """Return how many objects people added, changed and deleted on the candidates of a filter."""
    some = _keys(wanted).subquery()
    query = (
        select(ObjectReview.action, ObjectReview.annotation_id.is_(None), func.count())
        .join(some, some.c.id == ObjectReview.candidate_id)
        .where(ObjectReview.is_current.is_(True))
        .group_by(ObjectReview.action, ObjectReview.annotation_id.is_(None))
    )
    counts = dict.fromkeys(ObjectAction, 0)
    for action, is_added, count in session.execute(query):
        is_changed_again = is_added and action == ObjectAction.CHANGE
        counts[ObjectAction.ADD if is_changed_again else ObjectAction(action)] += count
    return counts


def list_runs_of(session: Session, run_ids: Collection[int]) -> list[Run]:
    """Return these runs with their labels, by id."""
    query = select(Run).where(Run.id.in_(run_ids)).options(selectinload(Run.labels))
    return list(session.scalars(query.order_by(Run.id)))
