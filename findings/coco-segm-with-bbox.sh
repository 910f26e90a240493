#!/usr/bin/env bash
# pycocotools 2.0.11: a `bbox` in the results changes the AP of *masks* by size: 0.5 becomes 1.0, although no mask changed.
#
# Guess: with `iouType="segm"` only masks count; a `bbox` next to them, as COCO's own annotations have, is ignored.
# What happens: `loadRes` sees the `bbox` and takes width times height as the object's area, instead of the mask's pixels.
#   A false alarm with a thin mask is small by its pixels and large by its box, so that it is no longer counted among the
#   small objects. The AP over all sizes stays the same, which hides it. faster-coco-eval 1.8.0 does the same.
# What a user meets: AP small, medium and large of two models cannot be compared if one writes boxes and the other does not.
#   Thin objects suffer most: ropes, poles, fishing rods, limbs.
# Decision here: the evaluation removes `bbox` from results with masks.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6

"$python" -W ignore - <<'PYTHON'
import contextlib
import io
import sys

import faster_coco_eval
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
from pycocotools import mask as coco_mask

SIDE = 200


def diagonal(shift):
    """A thin object: 4 pixels high, 140 wide, 143 from top to bottom."""
    pixels = np.zeros((SIDE, SIDE), np.uint8, order="F")
    for step in range(140):
        pixels[20 + shift + step : 24 + shift + step, 20 + step] = 1
    rle = coco_mask.encode(pixels)
    return rle | {"counts": rle["counts"].decode()}


def ap(api, evaluator, with_box):
    true, false = diagonal(0), diagonal(30)
    known = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": true, "iscrowd": 0}
    known |= {"area": float(coco_mask.area(true)), "bbox": coco_mask.toBbox(true).tolist()}
    results = [
        {"image_id": 1, "category_id": 1, "segmentation": mask, "score": score}
        | ({"bbox": coco_mask.toBbox(mask).tolist()} if with_box else {})
        for mask, score in ((false, 0.9), (true, 0.8))
    ]
    truth = api()
    truth.dataset = {
        "images": [{"id": 1, "width": SIDE, "height": SIDE}],
        "categories": [{"id": 1, "name": "rod"}],
        "annotations": [known],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = evaluator(truth, truth.loadRes(results), "segm")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {"all": round(float(run.stats[0]), 2), "small": round(float(run.stats[3]), 2)}


print("the object:", int(coco_mask.area(diagonal(0))), "pixels, box", coco_mask.toBbox(diagonal(0)).tolist())
expected = {False: {"all": 0.5, "small": 0.5}, True: {"all": 0.5, "small": 1.0}}
for name, api, evaluator in (
    ("pycocotools", pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
    ("faster-coco-eval", faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
):
    found = {with_box: ap(api, evaluator, with_box) for with_box in (False, True)}
    print(f"{name}: AP without bbox {found[False]}, with bbox {found[True]}")
    if found != expected:
        sys.exit("changed")
PYTHON
