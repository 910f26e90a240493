"""Labels of objects, with or without people's corrections, for queries over many candidates."""

from sqlalchemy import ColumnElement, Integer, Select, Subquery, and_, cast, func, or_, select

from chatgenimage.db.models import Annotation, Candidate, ObjectReview
from chatgenimage.db.states import ObjectAction

AFTER_FOUND = 1_000_000
"""Positions of added objects begin here, after those that the models found."""


def object_labels(*, use_reviews: bool) -> Subquery:
    """Return a subquery with `candidate_id`, `label` and `position` of every object."""
    found = select(Annotation.candidate_id, Annotation.label, Annotation.index.label("position"))
    if not use_reviews:
        return found.subquery()
    position = func.coalesce(Annotation.index, AFTER_FOUND + ObjectReview.id)
    corrected = (
        select(ObjectReview.candidate_id, ObjectReview.label, cast(position, Integer))
        .outerjoin(Annotation, Annotation.id == ObjectReview.annotation_id)
        .where(is_object_now())
    )
    return found.where(Annotation.id.not_in(_corrected())).union_all(corrected).subquery()


def shows_label(names: tuple[str, ...], *, use_reviews: bool) -> ColumnElement[bool]:
    """Return the condition that one of a candidate's objects has one of the labels."""
    is_found = Annotation.label.in_(names)
    if not use_reviews:
        return Candidate.annotations.any(is_found)
    is_named = and_(is_object_now(), ObjectReview.label.in_(names))
    return or_(
        Candidate.annotations.any(and_(is_found, Annotation.id.not_in(_corrected()))),
        Candidate.object_reviews.any(is_named),
    )


def is_object_now() -> ColumnElement[bool]:
    """Return the condition that a review says what an object is now: it was not deleted."""
    is_present = ObjectReview.action.in_([ObjectAction.ADD, ObjectAction.CHANGE])
    return and_(ObjectReview.is_current.is_(True), is_present)


def _corrected() -> Select[int | None]:
    """Return the query for the annotations that people changed or deleted."""
    return select(ObjectReview.annotation_id).where(
        ObjectReview.is_current.is_(True), ObjectReview.annotation_id.is_not(None)
    )
