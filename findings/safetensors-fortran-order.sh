#!/usr/bin/env bash
# safetensors 0.8.0 stores a numpy array that is not in C order with its values in other places, without an error.
#
# Guess: `safetensors.numpy.save` either copies the array into C order, as `numpy.save` does, or raises.
# What happens: it writes the bytes as they lie in memory and the shape as it is. A transposed array, an array in Fortran
#   order and a slice with a step come back with the right shape and dtype and with wrong values. A slice even comes back
#   with values that were not in it. With torch tensors the same library raises instead.
# What a user meets: pycocotools only encodes masks in Fortran order, so a mask prepared for one library is scrambled by
#   the other. Nothing is reported by either.
# Decision here: masks are stored as RLE, and weights are stored from torch tensors, where the library checks.
#   Anyone who stores arrays needs `numpy.ascontiguousarray` first.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq safetensors==0.8.0 numpy==2.4.6 pycocotools==2.0.11

"$python" - <<'PYTHON'
import sys

import numpy as np
from pycocotools import mask as coco_mask
from safetensors.numpy import load, save

box = np.zeros((6, 8), np.uint8)
box[1:3, 2:7] = 1  # 2 rows of 5
for_coco = np.asfortranarray(box)
print("area by pycocotools:", coco_mask.area(coco_mask.encode(for_coco)))
back = load(save({"mask": for_coco}))["mask"]
print("the mask that was saved:", for_coco, "the mask that was loaded:", back, sep="\n")

numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {"C order": numbers, "transposed": numbers.T, "slice with a step": numbers[:, ::2]}
equal = {}
for name, array in arrays.items():
    loaded = load(save({"a": array}))["a"]
    same_form = loaded.shape == array.shape and loaded.dtype == array.dtype
    equal[name] = same_form and bool((loaded == array).all())
    print(f"{name}: saved {array.tolist()}, loaded {loaded.tolist()}")
    if not same_form:
        sys.exit("changed: shape or dtype differs")
safe = load(save({"a": np.ascontiguousarray(numbers.T)}))["a"]
print("after ascontiguousarray:", safe.tolist())

if back.shape != box.shape or (back == box).all():
    sys.exit("changed: the mask in Fortran order came back as it was")
if equal != {"C order": True, "transposed": False, "slice with a step": False}:
    sys.exit(f"changed: {equal}")
if (safe != numbers.T).any():
    sys.exit("changed: a copy in C order does not come back either")
PYTHON
