#!/usr/bin/env bash
# supervision 0.31.2 writes into every COCO file that the images are licensed under CC BY 4.0.
#
# Guess: `DetectionDataset.as_coco` leaves `licenses` empty, or keeps those of the file that it has read.
# What happens: it writes one licence, "CC BY 4.0" with its address, and assigns every image to it, whatever the file
#   that was read says. A date of capture is invented, too: the time of the export. Nothing is reported, and no argument
#   of as_coco changes it.
# What a user meets: after a round trip (to merge or to filter) somebody else's images, or images with a
#   non-commercial licence, carry a permission that nobody gave.
# Decision here: the licences of an export are in its dataset card, per model and source, and COCO's `licenses` stays
#   empty rather than guessed. Our data never passes through as_coco.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq supervision==0.31.2 opencv-python-headless==5.0.0.93

cat >"$folder/round_trip.py" <<'PYTHON'
import inspect
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import supervision

folder = Path(sys.argv[1])
(folder / "images").mkdir()
cv2.imwrite(str(folder / "images/a.png"), np.zeros((64, 64, 3), np.uint8))
original = {
    "licenses": [{"id": 4, "name": "All rights reserved", "url": "https://example.org/terms"}],
    "images": [
        {"id": 1, "file_name": "a.png", "width": 64, "height": 64, "license": 4, "date_captured": "2001-02-03"}
    ],
    "categories": [{"id": 1, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 8, 16, 16], "area": 256, "iscrowd": 0}
    ],
}
(folder / "in.json").write_text(json.dumps(original))
dataset = supervision.DetectionDataset.from_coco(str(folder / "images"), str(folder / "in.json"))
dataset.as_coco(annotations_path=str(folder / "out.json"))
written = json.loads((folder / "out.json").read_text())
licence_of = {licence["id"]: licence["name"] for licence in written["licenses"]}
image = written["images"][0]
print("read:   ", original["licenses"], original["images"][0])
print("written:", written["licenses"], image)
print("arguments:", list(inspect.signature(dataset.as_coco).parameters))
if licence_of.get(image["license"]) != "CC BY 4.0":
    sys.exit("changed: the image is no longer said to be CC BY 4.0")
if image["date_captured"] == "2001-02-03":
    sys.exit("changed: the date of capture is kept")
PYTHON
"$python" -W ignore "$folder/round_trip.py" "$folder"
