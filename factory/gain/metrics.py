"""Metrics of predictions: mAP by pycocotools' COCOeval, or accuracy; overall, by domain, by class.

mAP50 is the mean over classes of the average precision at an overlap (IoU) of 0.5, mAP50-95 its
mean over overlaps from 0.5 to 0.95. All metrics are in [0, 1].
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatgenimage.factory.gain.values import LabelledImage, Prediction, Task
from chatgenimage.workers.masks import decode

ACCURACY, MAP50, MAP50_95 = "accuracy", "mAP50", "mAP50-95"
METRICS = {
    Task.CLASSIFY: (ACCURACY,),
    Task.DETECT: (MAP50, MAP50_95),
    Task.SEGMENT: (MAP50, MAP50_95),
}
"""Metrics of each task; the first decides the verdict."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured value.

    Attributes:
        metric: One of `METRICS`.
        domain: The subset of the test set; None: all of it.
        label: The class; None: the mean of all classes.
        value: In [0, 1].
    """

    metric: str
    domain: str | None
    label: str | None
    value: float


def score_predictions(
    task: Task,
    images: Sequence[LabelledImage],
    predictions: Sequence[Prediction],
    classes: Sequence[str],
) -> list[Measured]:
    """Return every metric of a task, overall, by class, and by domain if there are several.

    Args:
        task: Decides the metrics; of `segment`, the overlap is that of masks.
        images: The test set.
        predictions: One for each image, in the same order.
        classes: The classes to measure; a class without an object in a subset has no value there.
    """
    find_values = _accuracies if task is Task.CLASSIFY else _precisions(task)
    pairs = list(zip(images, predictions, strict=True))
    found = [*_measured(None, find_values(pairs, classes))]
    domains = sorted({image.domain for image in images})
    if len(domains) > 1:
        for domain in domains:
            some = [pair for pair in pairs if pair[0].domain == domain]
            found += _measured(domain, find_values(some, classes))
    return found


_Pairs = Sequence[tuple[LabelledImage, Prediction]]
_Values = dict[tuple[str, str | None], float]
"""Value by metric and class."""


def _measured(domain: str | None, values: _Values) -> Iterator[Measured]:
    for (metric, label), value in values.items():
        yield Measured(metric, domain, label, value)


def _accuracies(pairs: _Pairs, classes: Sequence[str]) -> _Values:
    """Return the share of images whose class is right: of all images, and of each class."""
    right = {
        label: [found.label == label for image, found in pairs if image.label == label]
        for label in classes
    }
    values: _Values = {
        (ACCURACY, label): float(np.mean(hits)) for label, hits in right.items() if hits
    }
    every = [hit for hits in right.values() for hit in hits]
    return {(ACCURACY, None): float(np.mean(every)), **values} if every else {}


def _precisions(task: Task) -> Callable[[_Pairs, Sequence[str]], _Values]:
    """Return the function that computes average precision: of boxes, or of masks."""
    kind = "segm" if task is Task.SEGMENT else "bbox"

    def find(pairs: _Pairs, classes: Sequence[str]) -> _Values:
        """Return both metrics over all classes (None) and of each class."""
        precision = _evaluate(pairs, classes, kind)
        values: _Values = {}
        for metric, rows in ((MAP50, precision[:1]), (MAP50_95, precision)):
            if (known := rows[rows > -1]).size:
                values[metric, None] = float(known.mean())
            for index, label in enumerate(classes):
                if (known := rows[:, :, index][rows[:, :, index] > -1]).size:
                    values[metric, label] = float(known.mean())
        return values

    return find


def _evaluate(pairs: _Pairs, classes: Sequence[str], kind: str) -> NDArray[np.float64]:
    """Return COCOeval's precision, (T, R, K): overlaps, recalls, classes; -1 without objects."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    class_ids = {label: index for index, label in enumerate(classes, start=1)}
    truth, found = _truth_of(pairs, class_ids, kind), _found_of(pairs, class_ids, kind)
    if not found:  # COCO.loadRes refuses an empty list
        present = {one["category_id"] for one in truth["annotations"]}
        known = [0.0 if class_ids[label] in present else -1.0 for label in classes]
        return np.broadcast_to(np.array(known), (10, 101, len(classes)))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
    precision: NDArray[np.float64] = evaluation.eval["precision"][:, :, :, 0, -1]
    return precision


def _truth_of(pairs: _Pairs, class_ids: dict[str, int], kind: str) -> dict[str, Any]:
    """Return the known objects as COCO's evaluation reads them; `kind` is bbox or segm."""
    annotations: list[dict[str, Any]] = []
    for number, (image, _) in enumerate(pairs, start=1):
        for known in image.objects:
            if known.label in class_ids:
                entry = _entry(number, class_ids[known.label], known.box_xyxy)
                if kind == "segm" and known.rle is not None:
                    entry |= {"segmentation": dict(known.rle)}
                    entry |= {"area": float(decode(known.rle).sum())}
                annotations.append(entry | {"id": len(annotations) + 1, "iscrowd": 0})
    return {
        "info": {},
        "images": [
            {"id": number, "width": image.size_wh[0], "height": image.size_wh[1]}
            for number, (image, _) in enumerate(pairs, start=1)
        ],
        "categories": [{"id": number, "name": label} for label, number in class_ids.items()],
        "annotations": annotations,
    }


def _found_of(pairs: _Pairs, class_ids: dict[str, int], kind: str) -> list[dict[str, Any]]:
    """Return the predicted objects as COCO's evaluation reads them; `kind` is bbox or segm."""
    entries = []
    for number, (_, prediction) in enumerate(pairs, start=1):
        for found in prediction.objects:
            entry = _entry(number, class_ids[found.label], found.box_xyxy)
            if kind == "segm":
                if found.rle is None:
                    continue
                del entry["bbox"]  # else loadRes would take the box for the object
                entry |= {"segmentation": dict(found.rle)}
            entries.append(entry | {"score": found.confidence})
    return entries


def _entry(image_id: int, class_id: int, box: tuple[float, ...]) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = box
    size = (x_max - x_min, y_max - y_min)
    return {
        "image_id": image_id,
        "category_id": class_id,
        "bbox": [x_min, y_min, *size],
        "area": size[0] * size[1],
    }
