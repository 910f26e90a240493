#!/usr/bin/env bash
# Seven libraries find the box of a mask; in four of them it is one pixel too narrow and too low. (Installs 3 GB.)
#
# Guess: the box around a mask of 10 x 10 pixels is 10 wide and 10 high, and evaluating a perfect mask by its box gives 1.0.
# What happens: torchvision's `masks_to_boxes`, supervision's `mask_to_xyxy`, segment-anything and transformers' SAM return
#   the last pixel as the right and lower side: 9 x 9. pycocotools, OpenCV and scikit-image return 10 x 10. No function's
#   name or type shows which. In the same `Detections` of supervision, `area` is 100 and `box_area` is 81. The overlap of
#   both boxes is 0.81 for 10 pixels and 0.94 for 32, so that a detector that is perfect loses AP by small objects.
# What a user meets: boxes from masks of SAM, written as COCO or used for training, are too small, and only the small objects
#   show it: their AP for boxes is bad while their AP for masks is good.
# What to do: add 1 to the right and lower side, or take pycocotools' `toBbox`. Decision here: `workers/masks.py` adds 1, and
#   the COCO writer uses `toBbox`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq torch==2.14.1 torchvision==0.29.1 transformers==5.24.0 segment-anything==1.0 \
    supervision==0.31.2 pycocotools==2.0.11 scikit-image==0.26.0 numpy==2.4.6 opencv-python-headless==5.0.0.93

cat >"$folder/boxes.py" <<'PYTHON'
import contextlib
import io
import sys

import cv2
import numpy as np
import supervision
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from segment_anything.utils.amg import batched_mask_to_box
from skimage.measure import regionprops
from torchvision.ops import masks_to_boxes
from transformers.models.sam.image_processing_sam import _batched_mask_to_box

SIDES = (10, 16, 24, 32)


def square(side):
    mask = np.zeros((64, 64), np.uint8)
    mask[20 : 20 + side, 10 : 10 + side] = 1
    return mask


def by_coco(mask):
    x, y, width, height = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask)))
    return x, y, x + width, y + height


def by_opencv(mask):
    x, y, width, height = cv2.boundingRect(mask)
    return x, y, x + width, y + height


def by_scikit_image(mask):
    top, left, bottom, right = regionprops(mask.astype(int))[0].bbox
    return left, top, right, bottom


READERS = {
    "pycocotools": by_coco,
    "OpenCV": by_opencv,
    "scikit-image": by_scikit_image,
    "torchvision": lambda mask: masks_to_boxes(torch.from_numpy(mask)[None])[0],
    "supervision": lambda mask: supervision.mask_to_xyxy(mask[None].astype(bool))[0],
    "segment-anything": lambda mask: batched_mask_to_box(torch.from_numpy(mask)[None] > 0)[0],
    "transformers (SAM)": lambda mask: _batched_mask_to_box(torch.from_numpy(mask)[None, None] > 0)[0, 0],
}


def score(found):
    """Return COCO's AP of boxes against the true squares, one per image."""
    truth, rows = COCO(), []
    for number, side in enumerate(SIDES, start=1):
        row = {"id": number, "image_id": number, "category_id": 1, "area": side * side, "iscrowd": 0}
        rows.append(row | {"bbox": [10, 20, side, side]})
    truth.dataset = {"images": [{"id": row["id"]} for row in rows], "categories": [{"id": 1}], "annotations": rows}
    boxes = [[box[0], box[1], box[2] - box[0], box[3] - box[1]] for box in found]
    detections = [{"image_id": at, "category_id": 1, "bbox": box, "score": 0.9} for at, box in enumerate(boxes, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(detections), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return round(float(run.stats[0]), 2)


short = set()
for name, reader in READERS.items():
    found = [[float(side) for side in reader(square(side))] for side in SIDES]
    width = found[0][2] - found[0][0]
    short |= {name} if width < SIDES[0] else set()
    print(f"{name}: a square of {SIDES[0]} pixels is {width:.0f} wide; AP of {len(SIDES)} perfect squares {score(found)}")
mask = square(10)[None].astype(bool)
both = supervision.Detections(xyxy=supervision.mask_to_xyxy(mask), mask=mask)
print("supervision: area", both.area[0], "box_area", both.box_area[0])
if short != {"torchvision", "supervision", "segment-anything", "transformers (SAM)"}:
    sys.exit(f"changed: {sorted(short)}")
if both.area[0] != 100 or both.box_area[0] != 81:
    sys.exit("changed: the areas")
PYTHON
"$python" -W ignore "$folder/boxes.py" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
