"""Conditions on the objects of candidates: class, confidence and area."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select

from chatgenimage.db.letter_case import lowered_forms
from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.ranges import OPEN, Range, is_within


@dataclass(frozen=True, slots=True)
class ObjectFilter:
    """A filter of objects; each name must be one of a candidate's objects.

    Attributes:
        names: Classes, compared without case; empty: any class.
        confidence: Least and greatest confidence.
        area_px: Least and greatest area of the mask, in pixels of the stored image.
    """

    names: tuple[str, ...] = ()
    confidence: Range = OPEN
    area_px: Range = OPEN


def is_object(
    found: type[Annotation], wanted: ObjectFilter, names: tuple[str, ...]
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that an object (an alias is fine) is in the ranges, and of a name."""
    if names:
        yield func.lower(found.label).in_(lowered_forms(names))
    yield from is_within(found.confidence.expression, wanted.confidence)
    yield from is_within(found.area_px.expression, wanted.area_px)


def has_objects(wanted: ObjectFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that a candidate has an object of each name, within the ranges."""
    for names in _each_name(wanted):
        clauses = list(is_object(Annotation, wanted, names))
        if clauses:
            of_candidate = Annotation.candidate_id == Candidate.id
            found = select(Annotation.id).where(of_candidate, *clauses)
            yield found.correlate(Candidate).exists()


def each_by_index(wanted: ObjectFilter) -> Iterator[Select[int]]:
    """Yield queries for the candidates with such objects that an index of the database answers."""
    for name in wanted.names:
        is_named = func.lower(Annotation.label).in_(lowered_forms([name]))
        yield select(Annotation.candidate_id).where(is_named)
    for column, limits in (
        (Annotation.confidence.expression, wanted.confidence),
        (Annotation.area_px.expression, wanted.area_px),
    ):
        clauses = list(is_within(column, limits))
        if clauses:
            yield select(Annotation.candidate_id).where(*clauses)


def _each_name(wanted: ObjectFilter) -> list[tuple[str, ...]]:
    return [(name,) for name in wanted.names] or [()]
