"""Synthetic images of a run in the database: accepted and rejected candidates with their labels."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy.orm import Session

from chatgenimage.db.classes import NO_CLASS, class_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.queries import CandidateFilter, count_candidates, iter_candidates
from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.db.states import Origin, RunState, Verdict
from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.values import LabelledImage, LabelledObject, Source
from chatgenimage.factory.query.store import Store
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import BoxXyxy

SOURCES = {
    Origin.GENERATED: Source.GENERATED,
    Origin.EDITED: Source.EDITED,
    Origin.FILLED: Source.FILLED,
}


def read_run(store: Store, run_id: int) -> list[LabelledImage]:
    """Return every judged candidate that was made by a model; a person's pictures are left out.

    Raises:
        RowNotFound: If there is no such run.
        BadDataset: If it has no accepted candidate that a model made.
    """
    with reading(store.sessions) as session:
        get_run(session, run_id)
        images = [*_iter_images(session, store.images, run_id)]
    if not any(image.is_accepted for image in images):
        raise BadDataset(
            f"run {run_id} has no accepted generated, edited or filled image; "
            f"`factory status {run_id}` says why."
        )
    return images


def note_run(store: Store, run_id: int) -> list[str]:
    """Return what a reader of the result should know of a run."""
    with reading(store.sessions) as session:
        state = get_run(session, run_id).state
        own = count_candidates(session, CandidateFilter(run_id=run_id, origin=Origin.IMPORTED))
    notes = []
    if state != RunState.DONE:
        notes.append(
            f"Run {run_id} is {state}: its near-duplicates are rejected only when it is done."
        )
    if own:
        notes.append(f"Not used: {own} imported images of run {run_id}, which are not synthetic.")
    return notes


def _iter_images(session: Session, images: ImageStore, run_id: int) -> Iterator[LabelledImage]:
    for candidate in iter_candidates(session, CandidateFilter(run_id=run_id)):
        source = SOURCES.get(Origin(candidate.origin))
        if source is not None and candidate.verdict is not None:
            yield _to_image(candidate, source, images)


def _to_image(candidate: Candidate, source: Source, images: ImageStore) -> LabelledImage:
    """Return a candidate as an image of a set; its file is read when it is used."""
    name = class_of(candidate)
    return LabelledImage(
        name=f"candidate {candidate.id}",
        read=partial(images.read_bytes, candidate.sha256),
        size_wh=(candidate.width_px, candidate.height_px),
        objects=tuple(_to_object(one, candidate) for one in candidate.annotations),
        label=None if name == NO_CLASS else name,
        source=source,
        is_accepted=candidate.verdict == Verdict.ACCEPTED,
    )


def _to_object(annotation: Annotation, candidate: Candidate) -> LabelledObject:
    rle = Rle(size=annotation.rle["size"], counts=annotation.rle["counts"])
    box = _inside(annotation.box_xyxy, candidate.width_px, candidate.height_px)
    return LabelledObject(annotation.label, box, rle)


def _inside(box: BoxXyxy, width: int, height: int) -> BoxXyxy:
    """Return a box cut at the edges of the image: a detector's boxes may be a little outside."""
    x_min, y_min, x_max, y_max = box
    return max(0, x_min), max(0, y_min), min(width, x_max), min(height, y_max)
