"""Thresholds of the detector by class: their precision and recall on images that people checked."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from chatgenimage.db.models import Run
from chatgenimage.db.object_reviews import CorrectedObject, iter_checked, objects_of
from chatgenimage.factory.curation.thresholds import ThresholdQuality, thresholds_between
from chatgenimage.factory.errors import BadMarks
from chatgenimage.workers.boxes import iou

LEAST_IOU = 0.5
"""A detection found an object of its class if their boxes overlap so much."""

LEAST_OBJECTS = 10
"""A threshold is suggested for a class with at least so many true objects."""

Detected = tuple[float, bool]
"""Confidence of a detection, and whether it found an object."""


@dataclass(frozen=True, slots=True)
class ObjectThreshold:
    """Thresholds of one class.

    Attributes:
        label: Its name; None: all classes together.
        objects: Number of true objects that the numbers are based on.
        detected: Number of detections.
        now: As detected; its threshold is the least confidence that was stored.
        best: With the greatest F1 (the lowest such threshold); None if no detection was right.
        tried: At each threshold that was tried, ascending.
    """

    label: str | None
    objects: int
    detected: int
    now: ThresholdQuality | None
    best: ThresholdQuality | None
    tried: tuple[ThresholdQuality, ...]


@dataclass(frozen=True, slots=True)
class ObjectThresholds:
    """Thresholds of all classes of a run: first all together, then by class, most objects first."""

    run_id: int
    images: int
    classes: tuple[ObjectThreshold, ...]

    def suggested(self) -> dict[str, float]:
        """Return the best threshold of each class that a higher one improves, by class.

        Classes with fewer than `LEAST_OBJECTS` true objects are left out.
        """
        return {
            one.label: round_down(one.best.threshold)
            for one in self.classes
            if one.label is not None
            and one.objects >= LEAST_OBJECTS
            and one.best
            and one.now
            and one.best.f1 > one.now.f1
        }


def calibrate_objects(session: Session, run: Run) -> ObjectThresholds:
    """Return precision and recall of detector thresholds, by class.

    The truth are the corrected objects of the images that a person checked. Detections below the
    threshold of the run were not stored: only higher thresholds can be tried.

    Raises:
        BadMarks: If no image of the run has checked objects.
    """
    detected: dict[str, list[Detected]] = defaultdict(list)
    objects: Counter[str] = Counter()
    images = 0
    for candidate in iter_checked(session, run.id):
        images += 1
        truth = objects_of(candidate)
        objects.update(one.label for one in truth)
        for label, found in match(objects_of(candidate, use_reviews=False), truth):
            detected[label].append(found)
    if not images:
        raise BadMarks(
            f"no image of run {run.id} has checked objects: open `factory gallery`, "
            "correct the objects of some images and press c on each."
        )
    labels = sorted({*objects, *detected}, key=lambda label: (-objects[label], label))
    every = [one for found in detected.values() for one in found]
    total = _calibrate(None, every, objects.total())
    by_class = (_calibrate(label, detected[label], objects[label]) for label in labels)
    return ObjectThresholds(run.id, images, (total, *by_class))


def round_down(threshold: float) -> float:
    """Return a threshold with three decimals that accepts all that the given one accepts."""
    return math.floor(threshold * 1000) / 1000


def match(
    detections: Sequence[CorrectedObject], truth: Sequence[CorrectedObject]
) -> Iterable[tuple[str, Detected]]:
    """Yield label, confidence and success of each detection of an image, surest first.

    Each true object is found once, by the surest detection of its class that overlaps it enough.
    """
    left = list(truth)
    for one in sorted(detections, key=lambda one: -one.confidence):
        overlaps = {
            other.key: iou(one.box_xyxy, other.box_xyxy)
            for other in left
            if other.label == one.label
        }
        key = max(overlaps, key=lambda key: overlaps[key], default=None)
        is_found = key is not None and overlaps[key] >= LEAST_IOU
        if is_found:
            left = [other for other in left if other.key != key]
        yield one.label, (one.confidence, is_found)


def object_thresholds_record(found: ObjectThresholds) -> Mapping[str, object]:
    """Return the thresholds as JSON values."""
    return {
        "run": found.run_id,
        "images": found.images,
        "box_thresholds": found.suggested(),
        "classes": [
            {
                "label": one.label,
                "objects": one.objects,
                "detected": one.detected,
                "now": one.now and _quality_record(one.now),
                "best": one.best and _quality_record(one.best),
                "tried": [_quality_record(each) for each in one.tried],
            }
            for one in found.classes
        ],
    }


def _quality_record(quality: ThresholdQuality) -> dict[str, float | None]:
    return {
        "threshold": quality.threshold,
        "precision": quality.precision,
        "recall": quality.recall,
        "f1": quality.f1,
    }


def _calibrate(label: str | None, detected: Sequence[Detected], objects: int) -> ObjectThreshold:
    if not detected:
        return ObjectThreshold(label, objects, 0, None, None, ())
    values = {confidence for confidence, _ in detected}
    tried = [_quality(detected, objects, threshold) for threshold in thresholds_between(values)]
    best = max(tried, key=lambda quality: quality.f1)
    known = best if best.f1 else None
    return ObjectThreshold(label, objects, len(detected), tried[0], known, tuple(tried))


def _quality(detected: Sequence[Detected], objects: int, threshold: float) -> ThresholdQuality:
    passing = [is_found for confidence, is_found in detected if confidence >= threshold]
    precision = sum(passing) / len(passing) if passing else None
    return ThresholdQuality(threshold, precision, sum(passing) / objects if objects else 0.0)
