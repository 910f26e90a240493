#!/usr/bin/env bash
# albumentationsx 2.5.1: integers in `label_fields` come back as floats, and those above 2**24 as other numbers.
#   (Installs 3 GB.)
#
# Guess: `label_fields` are carried along with the boxes, so that each value is still with its box; values do not change.
# What happens: a list of numbers becomes a column of the array of boxes, which has 32-bit floats. 5 comes back as 5.0,
#   123456789 as 123456792.0, and True as 1.0. Two neighbouring ids can become one. An array of 64-bit integers comes back as
#   one with the right type and the wrong values. A list of strings is coded, and comes back as it was. There is no warning,
#   also if the transform does nothing.
# What a user meets: ids of annotations, tracks or database rows, passed to know which objects are left after a crop, belong
#   to other objects or to none. Ids of crowds in COCO's own files have twelve digits. Small test data shows no difference but
#   `.0`, which most people turn into int again.
# What to do: pass strings, or positions in a list of one's own. Decision here: training augments with torchvision, and has
#   class numbers alone with the boxes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq albumentationsx==2.5.1 torch==2.14.1 numpy==2.4.6 \
    opencv-python-headless==5.0.0.93

export NO_ALBUMENTATIONS_UPDATE=1 ALBUMENTATIONS_NO_TELEMETRY=1
cat >"$folder/ids.py" <<'PYTHON'
import sys

import albumentations
import numpy as np

IMAGE = np.zeros((64, 64, 3), np.uint8)
BOXES = [(12, 20, 33, 41), (40, 40, 60, 50)]
COCO_IDS = [900100581903, 900100581904]


def carry(values):
    params = albumentations.BboxParams(coord_format="pascal_voc", label_fields=["ids"])
    compose = albumentations.Compose([albumentations.NoOp()], bbox_params=params, telemetry=False)
    return compose(image=IMAGE, bboxes=BOXES, ids=values)["ids"]


cases = {
    "small": [5, 6],
    "above 2**24": [123456789, 16777217],
    "of COCO": COCO_IDS,
    "array": np.array([123456789, 16777217]),
    "true and false": [True, False],
    "strings": ["123456789", "16777217"],
}
found = {}
for name, values in cases.items():
    found[name] = carry(values)
    print(f"{name}: {values!r} come back as {found[name]!r}")
if found["small"] != [5, 6] or not isinstance(found["small"][0], float) or found["strings"] != cases["strings"]:
    sys.exit("changed: small numbers or strings")
if set(map(int, found["above 2**24"])) & set(cases["above 2**24"]) or len(set(found["of COCO"])) != 1:
    sys.exit("changed: large numbers")
if found["array"].dtype != np.int64 or (found["array"] == cases["array"]).any():
    sys.exit("changed: an array")
PYTHON
"$python" -W ignore "$folder/ids.py" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
