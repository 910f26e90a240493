"""Objects of a candidate as people corrected them: the annotations with the reviews applied.

A person renames, moves, deletes or adds an object, or says that all objects of an image are right.
Each of these is a row; the last one that was not taken back can be undone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from chatgenimage.db.class_names import UNWRITABLE
from chatgenimage.db.errors import RefusedChange, RowNotFound
from chatgenimage.db.marks import AUTHOR_LENGTH, PAGE_ROWS
from chatgenimage.db.models import Annotation, Candidate, ObjectReview
from chatgenimage.db.states import ObjectAction

Box = tuple[float, float, float, float]
CHECK_KEY = "all"
LABEL_LENGTH = 200
MOST_OBJECTS = 1000
ADDED_FROM = 2_000_000_000
"""Ids of added objects are `ADDED_FROM` plus the id of the review; below are annotations."""
SURE = 1.0
"""Confidence of an object that a person added."""


@dataclass(frozen=True, slots=True)
class CorrectedObject:
    """An object of a candidate, with the corrections of people.

    Attributes:
        key: Name of the object within its candidate: "a12" is annotation 12, "r5" was added by
            review 5.
        id: Unique in the database.
        confidence: The detector's; `SURE` for an added object.
        box_xyxy: In pixels of the stored image, the maximum sides exclusive.
        image_wh: Width and height of the stored image.
        annotation: What the models found; None for an added object.
        is_corrected: Whether a person changed or added it.
    """

    key: str
    id: int
    candidate_id: int
    image_wh: tuple[int, int]
    label: str
    confidence: float
    box_xyxy: Box
    annotation: Annotation | None
    is_corrected: bool = False


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What a person wants to change.

    Attributes:
        key: The object; empty for `ADD` and `CHECK`.
        label: Its label from now on; empty: as it is.
        box_xyxy: Its box from now on; None: as it is. It is cut at the sides of the image.
    """

    action: ObjectAction
    key: str = ""
    label: str = ""
    box_xyxy: Box | None = None


def objects_of(candidate: Candidate, *, use_reviews: bool = True) -> list[CorrectedObject]:
    """Return the objects of a candidate: the models' by confidence, then those that people added.

    Args:
        candidate: Its annotations and object reviews are read.
        use_reviews: Whether corrections are applied.
    """
    found = [_as_found(candidate, one) for one in candidate.annotations]
    if not use_reviews:
        return found
    current = {one.object_key: one for one in candidate.object_reviews if one.is_current}
    kept = [_apply(one, current.pop(one.key, None)) for one in found]
    added = [_as_added(candidate, one) for one in current.values() if one.action in _PRESENT]
    return [one for one in [*kept, *added] if one is not None]


def is_checked(candidate: Candidate) -> bool:
    """Return whether a person said that all objects are right, with the corrections."""
    return any(
        one.is_current and one.action == ObjectAction.CHECK for one in candidate.object_reviews
    )


def iter_checked(session: Session, run_id: int) -> Iterator[Candidate]:
    """Yield the candidates of a run whose objects a person checked, with all that is read here."""
    query = (
        select(Candidate)
        .where(
            Candidate.run_id == run_id,
            Candidate.object_reviews.any(
                ObjectReview.is_current.is_(True) & (ObjectReview.action == ObjectAction.CHECK)
            ),
        )
        .options(selectinload(Candidate.annotations), selectinload(Candidate.object_reviews))
        .order_by(Candidate.id)
    )
    yield from session.scalars(query.execution_options(yield_per=PAGE_ROWS))


def review_objects(
    session: Session, candidate_id: int, change: ObjectChange, author: str
) -> ObjectReview:
    """Store a person's change and return its row.

    Args:
        session: A writing transaction.
        candidate_id: Id of the candidate.
        change: What to change.
        author: The reviewer, as user@host; cut to the length of the column.

    Raises:
        RowNotFound: If there is no such candidate, or it has no such object.
        RefusedChange: If label or box are missing, empty or not valid, or there is nothing to undo.
    """
    _check_label(change.label)
    candidate = _lock(session, candidate_id)
    row = ObjectReview(
        candidate_id=candidate_id, action=change.action, author=author[:AUTHOR_LENGTH]
    )
    match change.action:
        case ObjectAction.UNDO:
            row.undoes_id = _last_of(candidate.object_reviews).id
        case ObjectAction.CHECK:
            pass
        case ObjectAction.ADD:
            _describe(row, candidate, change.label, change.box_xyxy)
        case ObjectAction.CHANGE | ObjectAction.DELETE:
            known = _find(candidate, change.key)
            _refer(row, known)
            box = change.box_xyxy or known.box_xyxy
            _describe(row, candidate, change.label or known.label, box)
    session.add(row)
    session.flush()
    session.refresh(candidate, ["object_reviews"])
    in_force = {one.id for one in _in_force(candidate.object_reviews)}
    for one in candidate.object_reviews:
        one.is_current = one.id in in_force
    session.flush()
    return row


_PRESENT = frozenset({ObjectAction.ADD, ObjectAction.CHANGE})


def _lock(session: Session, candidate_id: int) -> Candidate:
    """Return the candidate; another review of it waits for this transaction."""
    query = select(Candidate).where(Candidate.id == candidate_id).with_for_update(of=Candidate)
    candidate = session.scalar(query)
    if candidate is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists the candidates.")
    return candidate


def _find(candidate: Candidate, key: str) -> CorrectedObject:
    known = next((one for one in objects_of(candidate) if one.key == key), None)
    if known is None:
        raise RowNotFound(
            f"candidate {candidate.id} has no object {key!r} any more; reload the page."
        )
    return known


def _refer(row: ObjectReview, known: CorrectedObject) -> None:
    if known.annotation is None:
        row.added_id = known.id - ADDED_FROM
    else:
        row.annotation_id = known.annotation.id


def _check_label(label: str) -> None:
    """Refuse a new label that an export could not write."""
    if found := UNWRITABLE.search(" ".join(label.split())):
        raise RefusedChange(
            f"the label has the character U+{ord(found[0]):04X}, which not all formats of datasets "
            "can write: type the label again; nothing was saved."
        )


def _describe(row: ObjectReview, candidate: Candidate, label: str, box: Box | None) -> None:
    """Set label and box of a review; the box is cut at the image's edges.

    Raises:
        RefusedChange: If label or box is missing or unfit, or the image has too many objects.
    """
    row.label = " ".join(label.split())[:LABEL_LENGTH]
    if not row.label:
        raise RefusedChange("the object has no label: type its class; nothing was saved.")
    if box is None:
        raise RefusedChange("the new object has no box: draw one; nothing was saved.")
    if row.action == ObjectAction.ADD and len(objects_of(candidate)) >= MOST_OBJECTS:
        raise RefusedChange(f"an image has at most {MOST_OBJECTS} objects; nothing was saved.")
    sides = candidate.width_px, candidate.height_px
    x_min, x_max = (min(max(side, 0.0), float(sides[0])) for side in (box[0], box[2]))
    y_min, y_max = (min(max(side, 0.0), float(sides[1])) for side in (box[1], box[3]))
    if not (x_max - x_min >= 1 and y_max - y_min >= 1):
        raise RefusedChange(
            f"the box {box} has less than one pixel inside the image of {sides[0]} x {sides[1]}; "
            "nothing was saved."
        )
    row.x_min, row.y_min, row.x_max, row.y_max = x_min, y_min, x_max, y_max


def _in_force(reviews: Sequence[ObjectReview]) -> Iterator[ObjectReview]:
    """Yield the newest review of each object that was not taken back."""
    newest = {_subject(one): one for one in _not_undone(reviews)}
    yield from newest.values()


def _subject(review: ObjectReview) -> str:
    return CHECK_KEY if review.action == ObjectAction.CHECK else review.object_key


def _not_undone(reviews: Sequence[ObjectReview]) -> list[ObjectReview]:
    undone = {one.undoes_id for one in reviews}
    return [one for one in reviews if one.undoes_id is None and one.id not in undone]


def _last_of(reviews: Sequence[ObjectReview]) -> ObjectReview:
    left = _not_undone(reviews)
    if not left:
        raise RefusedChange("there is no change of an object to undo.")
    return left[-1]


def _as_found(candidate: Candidate, found: Annotation) -> CorrectedObject:
    """Return an annotation that nobody corrected."""
    return CorrectedObject(
        key=f"a{found.id}",
        id=found.id,
        candidate_id=candidate.id,
        image_wh=(candidate.width_px, candidate.height_px),
        label=found.label,
        confidence=found.confidence,
        box_xyxy=found.box_xyxy,
        annotation=found,
    )


def _apply(found: CorrectedObject, review: ObjectReview | None) -> CorrectedObject | None:
    if review is None:
        return found
    if review.action not in _PRESENT:
        return None
    label, box = _label_and_box(review)
    return replace(found, label=label, box_xyxy=box, is_corrected=True)


def _as_added(candidate: Candidate, review: ObjectReview) -> CorrectedObject:
    """Return an object that a person drew or changed."""
    label, box = _label_and_box(review)
    return CorrectedObject(
        key=review.object_key,
        id=ADDED_FROM + (review.added_id or review.id),
        candidate_id=candidate.id,
        image_wh=(candidate.width_px, candidate.height_px),
        label=label,
        confidence=SURE,
        box_xyxy=box,
        annotation=None,
        is_corrected=True,
    )


def _label_and_box(review: ObjectReview) -> tuple[str, Box]:
    sides = (review.x_min, review.y_min, review.x_max, review.y_max)
    x_min, y_min, x_max, y_max = (0.0 if side is None else side for side in sides)
    return review.label or "", (x_min, y_min, x_max, y_max)
