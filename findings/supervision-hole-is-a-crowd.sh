#!/usr/bin/env bash
# supervision 0.31.2 marks every object with a hole or in two parts as a crowd; COCO's evaluation and trainers leave it out.
#
# Guess: `iscrowd` is 0 for each detection, because each is one object; a mask with a hole needs RLE, and that is all.
# What happens: `as_coco` writes `"iscrowd": 1` if the mask has a hole or several parts. For COCO that means "a group that
#   nobody counted": pycocotools finds no object to look for (AP -1) and forgives each detection there, and the image
#   processors of transformers and torchvision's reference training drop such annotations.
# What a user meets: bicycles, chairs, mugs with a handle and everything behind a pole are missing from the training and
#   from the score, the more so the better the masks are. Nothing is reported.
# Decision here: COCO is written without supervision: RLE with `iscrowd` 0. After `as_coco`, set `iscrowd` to 0 yourself.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq supervision==0.31.2 opencv-python-headless==5.0.0.93 numpy==2.4.6 pycocotools==2.0.11

cat >"$folder/write.py" <<'PYTHON'
import contextlib
import io
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import supervision
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

FOLDER = Path(sys.argv[1])
IMAGE = str(FOLDER / "a.png")
cv2.imwrite(IMAGE, np.zeros((100, 100, 3), np.uint8))

whole, ring, parted = (np.zeros((100, 100), bool) for _ in range(3))
whole[20:80, 20:80] = ring[20:80, 20:80] = parted[20:80, 20:80] = True
ring[40:60, 40:60] = False  # a mug's handle
parted[:, 48:52] = False  # behind a pole


def evaluate(mask):
    """Write one object with supervision; return its iscrowd and the AP of perfect masks."""
    objects = supervision.Detections(
        xyxy=np.array([[20.0, 20.0, 80.0, 80.0]]), mask=mask[None], class_id=np.array([0])
    )
    dataset = supervision.DetectionDataset(["mug"], [IMAGE], {IMAGE: objects})
    dataset.as_coco(annotations_path=str(FOLDER / "coco.json"))
    (written,) = json.loads((FOLDER / "coco.json").read_text())["annotations"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(FOLDER / "coco.json"))
        perfect = {"image_id": written["image_id"], "category_id": written["category_id"], "score": 1.0}
        perfect |= {"segmentation": truth.annToRLE(written)}
        run = COCOeval(truth, truth.loadRes([perfect]), "segm")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return written["iscrowd"], float(run.stats[0])


found = {name: evaluate(mask) for name, mask in {"whole": whole, "ring": ring, "two parts": parted}.items()}
for name, (crowd, score) in found.items():
    print(f"{name}: iscrowd {crowd}, AP of perfect masks {score:g}")
if found["whole"][0] != 0 or found["whole"][1] < 0.99 or found["ring"] != (1, -1) or found["two parts"] != (1, -1):
    sys.exit("changed")
PYTHON
"$python" -W ignore "$folder/write.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
