"""Class names of candidates: the label that was asked for, or what a person's picture shows.

A run of a person's pictures has one label row, its title; the labels to look for are in its
profile. So a picture's class is the object that was found with the most confidence.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.models import Annotation, Candidate, Label, Run

NO_CLASS = ""
"""Class of a picture on which nothing was found."""
PICTURES = "pictures"
"""`chain.source` of the profile of a run of a person's pictures."""


def classes_asked(run: Run) -> tuple[str, ...] | None:
    """Return the classes that a run of pictures looks for; None: its classes are its labels."""
    chain = run.profile.get("chain", {})
    return tuple(chain.get("class_list", ())) if chain.get("source") == PICTURES else None


def class_of(candidate: Candidate) -> str:
    """Return the class name of a candidate."""
    if classes_asked(candidate.label.run) is None:
        return candidate.label.name
    found = candidate.annotations  # highest confidence first
    return found[0].label if found else NO_CLASS


def is_asked(names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a candidate's class is one of the names, compared without case.

    A picture matches if one of the names was found on it.
    """
    asked, lowered = aliased(Label), [name.lower() for name in names]
    is_label = is_named(asked.name.expression, names)
    by_label = Candidate.label_id.in_(select(asked.id).where(is_label))
    is_found = Candidate.annotations.any(func.lower(Annotation.label).in_(lowered))
    return or_(by_label, and_(Candidate.run_id.in_(runs_of_pictures()), is_found))


def is_named(column: ColumnElement[str], names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a column is one of the names, compared without case."""
    lowered = [name.lower() for name in names]
    return or_(column.in_(names), func.lower(column).in_(lowered))


def list_picture_classes(session: Session, run_id: int | None) -> set[str]:
    """Return the classes that runs of pictures look for, and those that were found there."""
    runs = select(Run).where(Run.profile["chain"]["source"].as_string() == PICTURES)
    if run_id is not None:
        runs = runs.where(Run.id == run_id)
    found = select(Annotation.label).join(Candidate, Candidate.id == Annotation.candidate_id)
    classes: set[str] = set()
    for run in session.scalars(runs):
        classes.update(classes_asked(run) or ())
        classes.update(session.scalars(found.where(Candidate.run_id == run.id).distinct()))
    return classes


def runs_of_pictures() -> Select[int]:
    """Return a query for the ids of runs of pictures."""
    return select(Run.id).where(Run.profile["chain"]["source"].as_string() == PICTURES)
