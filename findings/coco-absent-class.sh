#!/usr/bin/env bash
# pycocotools 2.0.11 and supervision 0.31.2: a detector that sees a bear in every image keeps an mAP of 1.0.
#
# Guess: a confident false alarm lowers mAP; five of them in each image ruin it, whatever class they have.
# What happens: a class without an object in the truth is left out of the mean, and its detections with it. One bear added
#   to 20 images of foxes brings the class back, with an AP of nearly 0: the mAP falls from 1.0 to 0.5 by one image.
# What a user meets: synthetic data of rare classes teach a model to see them everywhere, and a validation set without these
#   classes says that nothing got worse. Or somebody adds an image to the set, and the model seems to be half as good.
# What to do: count the detections of absent classes, or use one class for all (`useCats = 0`) as a second number, shown
#   below. This project's measure of gain has COCO's rule too.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq pycocotools==2.0.11 supervision==0.31.2 numpy==2.4.6

"$python" -W ignore - 2>"$folder/log" <<'PYTHON' || { tail -3 "$folder/log"; exit 1; }
import contextlib
import io
import sys

import numpy as np
import supervision
import supervision.metrics
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

IMAGES, FOX, BEAR = 20, 1, 2
BOX = (10, 10, 50, 50)
ALARMS = [(60 + 5 * step, 60, 90 + 2 * step, 95) for step in range(5)]


def items(image, with_bear):
    """Return the truth and the detections of an image, as class, box and score."""
    truth = [(FOX, BOX, 1.0)] + [(BEAR, (10, 60, 40, 95), 1.0)] * (with_bear and image == 0)
    return truth, [(FOX, BOX, 0.9)] + [(BEAR, alarm, 0.99) for alarm in ALARMS]


def by_pycocotools(pairs, use_classes=1):
    def rows(side):
        for image, pair in enumerate(pairs):
            for kind, (x, y, right, bottom), score in pair[side]:
                box, area = [x, y, right - x, bottom - y], (right - x) * (bottom - y)
                yield {"image_id": image, "category_id": kind, "bbox": box, "area": area, "score": score, "iscrowd": 0}

    truth = COCO()
    truth.dataset = {"images": [{"id": one} for one in range(len(pairs))], "categories": [{"id": 1}, {"id": 2}]}
    truth.dataset["annotations"] = [row | {"id": number} for number, row in enumerate(rows(0), start=1)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(list(rows(1))), "bbox")
        run.params.useCats = use_classes
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0])


def by_supervision(pairs):
    def detections(side):
        for pair in pairs:
            kinds, boxes, scores = (np.array(column) for column in zip(*pair[side], strict=True))
            yield supervision.Detections(xyxy=boxes.astype(float), class_id=kinds, confidence=scores)

    metric = supervision.metrics.MeanAveragePrecision()
    return float(metric.update(list(detections(1)), list(detections(0))).compute().map50_95)


without, with_one = ([items(image, bear) for image in range(IMAGES)] for bear in (False, True))
for judge in (by_pycocotools, by_supervision):
    found = judge(without), judge(with_one)
    print(f"{judge.__name__}: mAP {found[0]:.2f} without a bear in the truth, {found[1]:.2f} with one")
    if found[0] < 0.99 or not 0.49 < found[1] < 0.52:
        sys.exit("changed")
one_class = by_pycocotools(without, use_classes=0)
print(f"one class for all, no bear in the truth: {one_class:.2f}")
if one_class > 0.3:
    sys.exit("changed: useCats")
PYTHON
