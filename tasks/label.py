"""Label: write captions, boxes and masks (section 3.2; Algorithm 1 lines 2 to 4 and 13)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from celery import shared_task
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Annotation, Candidate, Score, Step
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.db.verdicts import set_verdict
from chatgenimage.tasks.filter_rules import OBJECTS_KEPT, certain, kept_share
from chatgenimage.tasks.names_to_detect import named, names_to_detect, sure_enough
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.overlaps import one_box_per_object, without_overlaps
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork, names_asked, options_of
from chatgenimage.tasks.thresholds import FilterThresholds
from chatgenimage.tasks.words import class_of_word, looked_for_as
from chatgenimage.workers import masks
from chatgenimage.workers.interfaces import Captioner, Detector, DetectorSegmenter, Segmenter
from chatgenimage.workers.llm.word_forms import mentions
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import Detection, Mask, RgbImage

MASK_MARGIN = 0.05
"""Maximum distance of a mask outside its box, as a share of the box's sides."""


@dataclass(frozen=True, slots=True)
class LabelInput:
    """A candidate to label, and the names to look for in addition to its caption's nouns.

    Attributes:
        asked: Those of the names that the image should show: its label, or the placed object.
    """

    candidate_id: int
    sha256: str
    names: tuple[str, ...]
    options: ChainOptions
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelResult:
    """A caption, and each object's box and mask."""

    caption: str
    detections: tuple[Detection, ...]
    masks: tuple[Mask, ...]
    labelled_by: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EncodedLabels:
    """The same as it is stored: of each mask its run lengths, and its area in pixels."""

    caption: str
    detections: tuple[Detection, ...]
    masks: tuple[tuple[Rle, int], ...]
    labelled_by: dict[str, Any]


def plan(session: Session, step: Step) -> Sequence[int]:
    """Return the round's candidates that have no labels yet."""
    candidates = session.scalars(
        select(Candidate)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round)
        .order_by(Candidate.key)
    )
    return [candidate.id for candidate in candidates if candidate.labelled_by is None]


def read(session: Session, step: Step, candidate_id: int) -> LabelInput:
    """Return the image and the names: label, expected objects and class list."""
    candidate = session.get_one(Candidate, candidate_id)
    asked = list(names_asked(step))
    if candidate.placement:
        asked.append(candidate.placement.label)
    names = list(names_asked(step))
    if candidate.parent:
        names += [annotation.label for annotation in candidate.parent.annotations]
    if candidate.placement:
        names.append(candidate.placement.label)
    options = options_of(step).chain
    names += [class_of_word(word, options) for word in options.class_list]
    unique = tuple(dict.fromkeys(names))
    return LabelInput(candidate.id, candidate.sha256, unique, options, tuple(asked))


def compute(resources: Resources, subjects: Sequence[LabelInput]) -> list[LabelResult]:
    """Write captions, find the names and the captions' nouns, with a mask each."""
    captioner = resources.able(Captioner)
    both = None if resources.find(Segmenter) else resources.find(DetectorSegmenter)
    detector, segmenter = both or resources.able(Detector), both or resources.able(Segmenter)
    images = [resources.images.get(subject.sha256) for subject in subjects]
    captions = captioner.caption(images)
    names = [
        names_to_detect(subject.names, caption, subject.options)
        for subject, caption in zip(subjects, captions, strict=True)
    ]
    if isinstance(segmenter, DetectorSegmenter):
        objects = find_with_masks(segmenter, images, names, subjects)
    else:
        detections = [
            objects_in(subject, found)
            for subject, found in zip(subjects, detector.detect(images, names), strict=True)
        ]
        objects = list(zip(detections, cut(segmenter, images, detections), strict=True))
    labelled_by = {
        "captioner": captioner.identity.to_record(),
        "detector": detector.identity.to_record(),
        "segmenter": segmenter.identity.to_record(),
    }
    return [
        LabelResult(caption, tuple(found), tuple(inside), labelled_by)
        for caption, (found, inside) in zip(captions, objects, strict=True)
    ]


def find_with_masks(
    finder: DetectorSegmenter,
    images: Sequence[RgbImage],
    names: Sequence[Sequence[str]],
    subjects: Sequence[LabelInput],
) -> list[tuple[list[Detection], list[Mask]]]:
    """Return each image's objects, and their masks from the same look at it, cut off at the box.

    No boxes are merged: the model asks each name once, and a mean of boxes would fit no mask.
    """
    objects = []
    for subject, pairs in zip(subjects, finder.find(images, names), strict=True):
        called = named([found for found, _ in pairs], subject.names, subject.options)
        mask_of = dict(zip(called, (mask for _, mask in pairs), strict=True))
        sure = sure_enough(called, subject.options)
        yielding = names_that_yield(subject, {one.label for one in sure})
        kept = without_overlaps(sure, subject.options, yielding)
        inside = [masks.within(mask_of[one], one.box_xyxy, MASK_MARGIN) for one in kept]
        objects.append((kept, inside))
    return objects


def objects_in(subject: LabelInput, found: Sequence[Detection]) -> list[Detection]:
    """Return one detection for each object, highest confidence first.

    A phrase that was looked for instead of a class is replaced by the name of the class.
    """
    called = named(found, subject.names, subject.options)
    detections = sure_enough(called, subject.options)
    yielding = names_that_yield(subject, {one.label for one in detections})
    return one_box_per_object(detections, subject.options, yielding)


def names_that_yield(subject: LabelInput, labels: Iterable[str]) -> frozenset[str]:
    """Return the labels that give way where a name that was looked for has the same box.

    They are the nouns that only the caption has, and what is a part of a name that was asked for:
    "extinguisher" of "fire extinguisher".
    """
    of_run = subject.options.run_phrases.values()
    known = {name.casefold() for name in (*subject.names, *of_run)}
    asked = {name.casefold() for name in subject.asked}
    whole = [phrase for name in subject.asked for phrase in looked_for_as(name, subject.options)]
    return frozenset(
        label
        for label in labels
        if label.casefold() not in known
        or (label.casefold() not in asked and any(mentions(name, label) for name in whole))
    )


def cut(
    segmenter: Segmenter, images: Sequence[RgbImage], detections: Sequence[Sequence[Detection]]
) -> list[list[Mask]]:
    """Return each detection's mask, cut off outside its box."""
    boxes_xyxy = [[detection.box_xyxy for detection in found] for found in detections]
    segmented = segmenter.segment(images, boxes_xyxy)
    return [
        [masks.within(mask, box, MASK_MARGIN) for mask, box in zip(*pair, strict=True)]
        for pair in zip(segmented, boxes_xyxy, strict=True)
    ]


def encode_masks(labels: LabelResult) -> EncodedLabels:
    """Encode the masks: for large images longer work than all rows of the labels."""
    encoded = tuple((masks.encode(mask), masks.mask_area(mask)) for mask in labels.masks)
    return EncodedLabels(labels.caption, labels.detections, encoded, labels.labelled_by)


def write(session: Session, step: Step, subject: LabelInput, labels: EncodedLabels) -> None:
    """Write caption and annotations; reject an edit that lost its parent's objects."""
    candidate = session.get_one(Candidate, subject.candidate_id)
    candidate.caption = labels.caption
    candidate.labelled_by = labels.labelled_by
    candidate.annotations = to_annotations(labels)
    candidate.object_count = len(candidate.annotations)
    if candidate.origin == Origin.EDITED:
        _reject_if_objects_lost(candidate, options_of(step).thresholds)


def to_annotations(labels: EncodedLabels) -> list[Annotation]:
    """Return the annotation rows, highest confidence first."""
    return [
        Annotation(
            index=index,
            label=detection.label,
            confidence=detection.confidence,
            x_min=detection.box_xyxy[0],
            y_min=detection.box_xyxy[1],
            x_max=detection.box_xyxy[2],
            y_max=detection.box_xyxy[3],
            rle=dict(rle),
            area_px=area_px,
        )
        for index, (detection, (rle, area_px)) in enumerate(
            zip(labels.detections, labels.masks, strict=True)
        )
    ]


def _reject_if_objects_lost(candidate: Candidate, thresholds: FilterThresholds) -> None:
    """Score the share of the parent's objects that an image kept; reject it if any is lost.

    An image without a parent has no such score.
    """
    parent = candidate.parent
    if parent is None:
        return
    share = kept_share(
        [(a.label, a.box_xyxy) for a in certain(parent.annotations, thresholds)],
        [(a.label, a.box_xyxy) for a in candidate.annotations],
        thresholds.object_kept_iou_min,
    )
    passed = share >= 1.0
    candidate.scores.append(
        Score(name=OBJECTS_KEPT.name, value=share, threshold=1.0, passed=passed)
    )
    if not passed:
        set_verdict(candidate, Verdict.REJECTED, OBJECTS_KEPT.reason)


LABEL = StepWork(
    "label",
    plan,
    read,
    compute,
    write,
    images_of=lambda subject: (subject.sha256,),
    finish=lambda _resources, _subject, labels: encode_masks(labels),
    overlaps=True,
    models=(Captioner, Detector, Segmenter),
)


@shared_task(name="label")
def label(batch_id: int) -> str:
    """Label the new images of a batch."""
    return run_task(LABEL, batch_id)
