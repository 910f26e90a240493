"""Class names of candidates: the label that was asked for, or what a person's picture shows.

A run of a person's pictures has one label row, its title; the labels to look for are in its
profile. So a picture's class is the object that was found with the most confidence.
"""

from collections.abc import Collection, Sequence
from itertools import chain

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.corrected_labels import is_object_now, object_labels, shows_label
from chatgenimage.db.letter_case import lowered_forms
from chatgenimage.db.models import Annotation, Candidate, Label, ObjectReview, Run
from chatgenimage.db.object_reviews import objects_of

NO_CLASS = ""
"""Class of a picture on which nothing was found."""
PICTURES = "pictures"
"""`chain.source` of the profile of a run of a person's pictures."""


def classes_asked(run: Run) -> tuple[str, ...] | None:
    """Return the classes that a run of pictures looks for; None: its classes are its labels."""
    chain = run.profile.get("chain", {})
    return tuple(chain.get("class_list", ())) if chain.get("source") == PICTURES else None


def class_of(candidate: Candidate, *, use_reviews: bool = False) -> str:
    """Return the class name of a candidate, of a picture with or without people's corrections."""
    if classes_asked(candidate.label.run) is None:
        return candidate.label.name
    found = objects_of(candidate, use_reviews=use_reviews)  # highest confidence first
    return found[0].label if found else NO_CLASS


def is_asked(names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a candidate's class is one of the names, compared without case.

    A picture matches if one of the names was found on it.
    """
    asked, lowered = aliased(Label), lowered_forms(names)
    is_label = is_named(asked.name.expression, names)
    by_label = Candidate.label_id.in_(select(asked.id).where(is_label))
    is_found = Candidate.annotations.any(func.lower(Annotation.label).in_(lowered))
    return or_(by_label, and_(Candidate.run_id.in_(runs_of_pictures()), is_found))


def is_named(
    column: ColumnElement[str] | ColumnElement[str | None], names: Sequence[str]
) -> ColumnElement[bool]:
    """Return the condition that a column is one of the names, compared without case."""
    lowered = lowered_forms(names)
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


def find_unknown_labels(
    session: Session, names: Sequence[str], run_id: int | None = None
) -> list[str]:
    """Return the names that no label and no class of this run (or of any) has; without case."""
    query = select(Label.name).where(is_named(Label.name.expression, names))
    if run_id is not None:
        query = query.where(Label.run_id == run_id)
    known = set(session.scalars(query.distinct())) if names else set()
    if names and any(name not in known for name in names):
        known |= list_picture_classes(session, run_id)
    lowered = {name.lower() for name in known}
    return [name for name in names if name not in known and name.lower() not in lowered]


def list_run_classes(
    session: Session, run_ids: Collection[int] | None = None, *, use_reviews: bool = False
) -> list[str]:
    """Return the classes of runs: those asked for in the runs' order, then those found, sorted.

    Args:
        session: To read with.
        run_ids: The runs; None: all of them.
        use_reviews: Whether the found ones are those that people corrected.
    """
    objects = object_labels(use_reviews=use_reviews)
    runs, labels, found = select(Run), select(Label), select(objects.c.label).distinct()
    if run_ids is not None:
        runs = runs.where(Run.id.in_(run_ids))
        labels = labels.where(Label.run_id.in_(run_ids))
        found = found.join(Candidate, Candidate.id == objects.c.candidate_id)
        found = found.where(Candidate.run_id.in_(run_ids))
    asked = {run.id: classes_asked(run) for run in session.scalars(runs.order_by(Run.id))}
    names = {run_id: list(classes or ()) for run_id, classes in asked.items()}
    for label in session.scalars(labels.order_by(Label.id)):
        if asked[label.run_id] is None:
            names[label.run_id].append(label.name)
    all_asked = chain.from_iterable(names.values())
    return list(dict.fromkeys([*all_asked, *sorted(session.scalars(found))]))


def list_extras(
    session: Session, run_ids: Collection[int], *, use_reviews: bool = False
) -> frozenset[str]:
    """Return the extras of runs: the classes of found objects that nobody asked for.

    Asked for are the labels, in a run of pictures the classes to look for, and with reviews the
    labels that people gave to objects. All else is an extra: words of `chain.class_list`, nouns of
    captions, and objects that the language model added. A run of pictures without classes looks for
    all nouns of its captions: these are not extras.

    Args:
        session: To read with.
        run_ids: The runs.
        use_reviews: Whether objects are as people corrected them.
    """
    labels = select(Label.name).where(Label.run_id.in_(run_ids))
    found, wanted = set[str](), set(session.scalars(labels))
    for run in session.scalars(select(Run).where(Run.id.in_(run_ids))):
        shown = _labels_of_objects(session, run.id)
        asked = classes_asked(run)
        found |= shown
        wanted.update(shown if asked == () else asked or ())
    if use_reviews:
        wanted |= _labels_given(session, run_ids)
    return frozenset(found - wanted)


def _labels_of_objects(session: Session, run_id: int) -> set[str]:
    """Return the labels of the objects that models found on candidates of a run."""
    query = select(Annotation.label).join(Candidate, Candidate.id == Annotation.candidate_id)
    return set(session.scalars(query.where(Candidate.run_id == run_id).distinct()))


def _labels_given(session: Session, run_ids: Collection[int]) -> set[str]:
    """Return the labels that people gave to objects of runs; to move a box gives none."""
    query = (
        select(ObjectReview.label)
        .join(Candidate, Candidate.id == ObjectReview.candidate_id)
        .outerjoin(Annotation, Annotation.id == ObjectReview.annotation_id)
        .where(
            Candidate.run_id.in_(run_ids),
            is_object_now(),
            func.coalesce(Annotation.label, NO_CLASS) != ObjectReview.label,
        )
    )
    return {label for label in session.scalars(query.distinct()) if label}


def shows_class(names: Collection[str], *, use_reviews: bool = False) -> ColumnElement[bool]:
    """Return the condition that a candidate's label or one of its objects is one of the names.

    A person's picture without objects fulfils it too: it has no class that could be another one.
    """
    is_picture = Candidate.run_id.in_(runs_of_pictures())
    is_label = Candidate.label_id.in_(select(Label.id).where(Label.name.in_(names)))
    return or_(
        shows_label(tuple(names), use_reviews=use_reviews),
        and_(not_(is_picture), is_label),
        and_(is_picture, Candidate.object_count == 0),
    )


def runs_of_pictures() -> Select[int]:
    """Return a query for the ids of runs of pictures."""
    return select(Run.id).where(Run.profile["chain"]["source"].as_string() == PICTURES)
