#!/usr/bin/env bash
# datumaro 1.13.12: a COCO file that is only read and written again has no holes any more. (Installs 700 MB.)
#
# Guess: importing COCO and exporting COCO changes ids at most; a mask that came as RLE goes out as RLE.
# What happens: an RLE mask with `iscrowd` 0 is turned into a polygon, and a polygon in COCO's form cannot have a hole: the
#   inside of a ring is filled, and `area` is computed anew. The classes 3 and 9 get the ids 1 and 2 too. With the option
#   `segmentation_mode="mask"` the hole stays, but the object becomes a crowd, which is not trained and not scored.
# What a user meets: merging two datasets or splitting one, the usual work of this tool, makes masks wrong where they were
#   right: handles, chairs, wheels and everything behind bars. Training goes on, with the background as part of the object.
# Decision here: splits and merges are made before the export; COCO is written once, with RLE.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq datumaro==1.13.12

cat >"$folder/copy_coco.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import cv2
import datumaro
import numpy as np
from pycocotools import mask as coco_mask

FOLDER = Path(sys.argv[1])
for name in ("in/annotations", "in/images/train"):
    (FOLDER / name).mkdir(parents=True)
cv2.imwrite(str(FOLDER / "in/images/train/a.jpg"), np.zeros((100, 100, 3), np.uint8))
ring = np.zeros((100, 100), np.uint8, order="F")
ring[20:80, 20:80] = 1
ring[40:60, 40:60] = 0
rle = coco_mask.encode(ring)
mug = {"id": 1, "image_id": 1, "category_id": 9, "area": int(ring.sum()), "bbox": [20, 20, 60, 60], "iscrowd": 0}
mug["segmentation"] = rle | {"counts": rle["counts"].decode()}
coco = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 100}],
    "categories": [{"id": 3, "name": "fox"}, {"id": 9, "name": "mug"}],
    "annotations": [mug],
}
(FOLDER / "in/annotations/instances_train.json").write_text(json.dumps(coco))


def describe(annotation):
    shape = annotation["segmentation"]
    kind = "RLE" if isinstance(shape, dict) else "polygon"
    if kind == "polygon" or isinstance(shape["counts"], list):
        shape = coco_mask.frPyObjects(shape, 100, 100)
    if isinstance(shape, list):
        shape = coco_mask.merge(shape)
    inside = bool(coco_mask.decode(shape)[50, 50])
    return {key: annotation[key] for key in ("category_id", "area", "iscrowd")} | {"as": kind, "hole filled": inside}


found = {"in": describe(mug)}
for mode in ("guess", "mask"):
    dataset = datumaro.Dataset.import_from(str(FOLDER / "in"), "coco")
    dataset.export(str(FOLDER / mode), "coco_instances", segmentation_mode=mode)
    (written,) = json.loads((FOLDER / mode / "annotations/instances_train.json").read_text())["annotations"]
    found[mode + (" (default)" if mode == "guess" else "")] = describe(written)
for name, one in found.items():
    print(f"{name}: {one}")
first, default, mask = found.values()
if first["hole filled"] or first["iscrowd"] or default["as"] != "polygon" or not default["hole filled"]:
    sys.exit("changed")
if default["area"] < 3400 or (default["category_id"], mask["iscrowd"], mask["hole filled"]) != (2, 1, False):
    sys.exit("changed")
PYTHON
"$python" -W ignore "$folder/copy_coco.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
