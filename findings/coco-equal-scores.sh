#!/usr/bin/env bash
# pycocotools 2.0.11: if scores are equal, the same detections have an AP of 0.25 or of 0.50, by the numbering of the images.
#
# Guess: AP depends on images, boxes and scores. How images are numbered means nothing, and equal scores are one threshold:
#   half of the detections are right and half of the objects found, so that the AP is 0.25.
# What happens: detections with the same score are taken one by one, in the order of the image ids. If the ids of the well
#   labelled images are small, the precision starts at 1 and the AP doubles. Shuffled ids give values between.
# What a user meets: vision language models and many auto-labelers give no score, so that everybody writes 1.0; scores in
#   two decimals are not much better. Two labelers, or two runs with images in another order, then differ by more than
#   any improvement. faster-coco-eval 1.8.0 does the same.
# Decision here: evaluation uses the detector's unrounded scores. Without scores, report precision and recall.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6

"$python" -W ignore - <<'PYTHON'
import contextlib
import io
import random
import sys

import faster_coco_eval
import pycocotools.coco
import pycocotools.cocoeval

IMAGES = 100
TRUE, FALSE = [10, 10, 50, 50], [70, 70, 20, 20]


def ap(ids, api, evaluator):
    """Each image has an object; the first half of the images has it detected, the others have a false alarm."""
    truth = api()
    truth.dataset = {
        "images": [{"id": one} for one in sorted(ids)],
        "categories": [{"id": 1, "name": "fox"}],
        "annotations": [
            {"id": one, "image_id": one, "category_id": 1, "bbox": TRUE, "area": 2500, "iscrowd": 0} for one in ids
        ],
    }
    detections = [
        {"image_id": one, "category_id": 1, "bbox": TRUE if place < IMAGES // 2 else FALSE, "score": 1.0}
        for place, one in enumerate(ids)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = evaluator(truth, truth.loadRes(detections), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return round(float(run.stats[0]), 2)


rising = list(range(1, IMAGES + 1))
orders = {"good images first": rising, "good images last": rising[::-1]}
orders |= {f"ids shuffled, {seed}": random.Random(seed).sample(rising, IMAGES) for seed in (1, 2)}
found = {}
for name, ids in orders.items():
    found[name] = (
        ap(ids, pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
        ap(ids, faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
    )
    print(f"{name}: pycocotools {found[name][0]:.2f}, faster-coco-eval {found[name][1]:.2f}")
first, last, *shuffled = (value for value, _ in found.values())
if first < 0.5 or last > 0.26 or shuffled[0] == shuffled[1] or any(a != b for a, b in found.values()):
    sys.exit("changed")
PYTHON
