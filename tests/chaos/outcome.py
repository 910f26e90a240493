"""Outcome of a run: its problems in comparison with an undisturbed run."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import func, select

from chatgenimage.db.errors import StoreError
from chatgenimage.db.models import (
    Annotation,
    Batch,
    Candidate,
    Item,
    Placement,
    Prompt,
    Run,
    Scene,
    Score,
    Step,
)
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, ItemState, StepState
from chatgenimage.db.subjects import locate_item
from chatgenimage.factory.doctor import store
from chatgenimage.factory.doctor.findings import Health
from chatgenimage.tasks.filter_rules import DUPLICATE
from tests.chaos.deployment import PER_LABEL

DIGITS = 6
ONCE = (
    (Candidate, (Candidate.label_id, Candidate.key)),
    (Annotation, (Annotation.candidate_id, Annotation.index)),
    (Score, (Score.candidate_id, Score.name)),
    (Scene, (Scene.candidate_id, Scene.index)),
    (Placement, (Placement.candidate_id, Placement.index)),
    (Prompt, (Prompt.batch_id, Prompt.index)),
    (Item, (Item.step_id, Item.subject_id)),
)
"""Tables in which no two rows may be equal."""


@dataclass
class Outcome:
    """Problems of a run; all empty if there are none.

    Attributes:
        lost: Results of an undisturbed run that this one lacks, or has with other values.
        doubled: Results that exist twice.
        broken: All other problems.
        repeated: Number of repeated item attempts: the cost of the faults.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    repeated: int = 0

    @property
    def problems(self):
        return [*self.lost, *self.doubled, *self.broken]


def examine(deployment, expected):
    """Return the problems of the deployment's only run.

    Args:
        deployment: Its run is done, or never will be.
        expected: The result of `remember` for an undisturbed run.
    """
    outcome = Outcome()
    with reading(deployment.sessions) as session:
        touched = _find_touched(session, deployment)
        _check_states(session, deployment, outcome, touched)
        _check_nothing_is_double(session, outcome)
        _check_files(session, deployment, outcome)
        _compare(remember(session, deployment.images), expected, outcome, touched)
        outcome.repeated = session.scalar(select(func.sum(Item.attempts) - func.count())) or 0
    return outcome


def remember(session, images):
    """Return every candidate by label and key, with all its results and what its file holds."""
    candidates = session.scalars(select(Candidate)).all()
    places = {candidate.id: (candidate.label.name, candidate.key) for candidate in candidates}
    return {
        places[candidate.id]: {
            **_record(candidate),
            **_content_of(candidate.sha256, images),
            "duplicate_of": places.get(candidate.duplicate_of_id),
        }
        for candidate in candidates
    }


def _record(candidate):
    annotations = [
        (a.label, round(a.confidence, DIGITS), a.box_xyxy, a.rle["counts"], a.area_px)
        for a in candidate.annotations
    ]
    return {
        "sha256": candidate.sha256,
        "seed": candidate.seed,
        "prompt": candidate.prompt_text,
        "caption": candidate.caption,
        "parent": candidate.parent and candidate.parent.key,
        "annotations": annotations,
        "scores": {s.name: round(s.value, DIGITS) for s in candidate.scores},
        "verdict": (candidate.verdict, candidate.reason),
    }


def _content_of(sha256, images):
    """Return what an image's file holds, so that a different file shows what is different."""
    try:
        pixels = hashlib.sha256(images.get(sha256).tobytes()).hexdigest()
        return {"pixels": pixels, "provenance": images.provenance(sha256)}
    except StoreError:
        return {"pixels": None, "provenance": None}


def _find_touched(session, deployment):
    """Return label and batch (the first part of a key) of every candidate with a spoiled image.

    Filters rank the images of a batch, so a lost image may change the verdicts of its batch, and
    what is made from it; elsewhere it may only change which near-duplicate is kept.
    """
    spoiled = select(Candidate).where(Candidate.sha256.in_(deployment.spoiled))
    return {_batch_of(c.label.name, c.key) for c in session.scalars(spoiled)}


def _batch_of(label, key):
    return label, key.partition("/")[0]


def _is_allowed(session, item, touched):
    """Return whether an item may be given up: its image was spoiled, and it says so."""
    label, key = locate_item(session, item.id)
    is_named = any(name in (item.error or "") for name in ("ImageBroken", "ImageMissing"))
    return item.state == ItemState.QUARANTINED and is_named and _batch_of(label, key) in touched


def _check_states(session, deployment, outcome, touched):
    runs = session.scalars(select(Run.state)).all()
    if runs != ["done"]:
        outcome.broken.append(f"expected one run, and it done; found {runs}")
    open_batches = session.scalars(select(Batch.id).where(Batch.state != BatchState.DONE)).all()
    outcome.lost += [f"batch {number} never ended" for number in open_batches]
    for step in session.scalars(select(Step).where(Step.state != StepState.DONE)):
        outcome.broken.append(f"step {step.name} of batch {step.batch_id} is {step.state}")
    for item in session.scalars(select(Item).where(Item.state != ItemState.DONE)):
        if _is_allowed(session, item, touched):
            continue
        outcome.broken.append(f"an item of {item.step.name} is {item.state}: {item.error}")
    wanted = len(deployment.labels) * PER_LABEL
    submitted = session.scalar(select(func.sum(Batch.size)))
    if submitted != wanted:
        outcome.broken.append(f"{submitted} images were submitted instead of {wanted}")


def _check_nothing_is_double(session, outcome):
    for table, columns in ONCE:
        many = select(*columns, func.count()).group_by(*columns).having(func.count() > 1)
        outcome.doubled += [f"{table.__tablename__} {tuple(row)}" for row in session.execute(many)]


def _check_files(session, deployment, outcome):
    """Compare rows and files directly and with `factory doctor`."""
    wanted = Counter(session.scalars(select(Candidate.sha256)))
    there = {path.stem for path in deployment.images_folder.rglob("*.png")}
    outcome.lost += [f"the file of {sha256} is missing" for sha256 in wanted.keys() - there]
    outcome.broken += [f"the file {sha256} has no row" for sha256 in there - wanted.keys()]
    outcome.lost = [line for line in outcome.lost if not any(s in line for s in deployment.spoiled)]
    for sha256 in (wanted.keys() & there) - deployment.spoiled.keys():
        deployment.images.read_bytes(sha256)
    for path in deployment.images_folder.rglob("*"):
        os.utime(path, (0, 0))  # the doctor ignores recent files
    places = deployment.sessions, deployment.images
    store.repair(*places, store.find_differences(*places, iter))
    for finding in store.to_findings(store.find_differences(*places, iter), verified=True):
        if finding.health is not Health.OK:
            outcome.broken.append(f"after the doctor's repair, {finding.name}: {finding.text}")


def _compare(found, expected, outcome, touched):
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    outcome.lost += [f"candidate {p} is missing" for p in missing if _batch_of(*p) not in touched]
    outcome.broken += [
        f"candidate {place} is unexpected"
        for place in unexpected
        if _batch_of(*place) not in touched
    ]
    for place in expected.keys() & found.keys():
        if _batch_of(*place) in touched:
            continue
        wanted, got = expected[place], found[place]
        if touched:
            wanted, got = _without_duplicates(wanted, got)
        differing = [name for name in wanted if wanted[name] != got[name]]
        if differing:
            told = {name: (wanted[name], got[name]) for name in differing}
            outcome.lost.append(f"candidate {place} is different: {told}")


def _without_duplicates(*records):
    """Return the records without what follows from near-duplicates elsewhere in the run."""
    about = any(DUPLICATE.name in r["scores"] or r["duplicate_of"] for r in records)
    left_out = {"verdict", "duplicate_of"} if about else set()
    return [
        {name: value for name, value in record.items() if name not in left_out}
        | {"scores": {n: v for n, v in record["scores"].items() if n != DUPLICATE.name}}
        for record in records
    ]
