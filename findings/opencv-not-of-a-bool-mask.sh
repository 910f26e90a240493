#!/usr/bin/env bash
# OpenCV 5.0.0.93: `bitwise_not` of a boolean mask is True everywhere.
#
# Guess: OpenCV 5 has a boolean type, so `cv2.bitwise_not(mask)` of a boolean mask is the opposite mask; if it could not do
#   that, it would be an error, as it is for `add`, `resize`, `dilate` and `warpAffine` of booleans.
# What happens: the bits of each byte are turned over: 0 becomes 255 and 1 becomes 254. numpy gets them as booleans, and
#   both are True. The result is a boolean array of the right shape in which each pixel is True. `bitwise_or`,
#   `bitwise_and`, `bitwise_xor` and `flip` of booleans are right.
# What a user meets: `cv2.bitwise_not` is the usual way to get the background of an object. The background is now the
#   whole image: an inpainting repaints the object that it should keep, and the score of the background contains it.
# What to do: `~mask`, or keep masks as uint8 with 0 and 255. Decision here: masks are numpy booleans, without OpenCV.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq opencv-python-headless==5.0.0.93 numpy==2.4.6

"$python" - <<'PYTHON'
import sys

import cv2
import numpy as np

mask = np.zeros((8, 8), bool)
mask[2:5, 2:5] = True
inverted, expected = cv2.bitwise_not(mask), ~mask
of_bytes = cv2.bitwise_not(mask.astype(np.uint8) * 255) > 0
print("object", int(mask.sum()), "of", mask.size, "pixels; ~mask has", int(expected.sum()))
print("cv2.bitwise_not(mask):", inverted.dtype, int(inverted.sum()), "pixels, bytes", np.unique(inverted.view(np.uint8)).tolist())
print("of 0 and 255 as uint8:", int(of_bytes.sum()), "pixels")
whole = np.ones_like(mask)
others = {
    "bitwise_or": (cv2.bitwise_or(mask, whole), mask | whole),
    "bitwise_and": (cv2.bitwise_and(mask, whole), mask & whole),
    "bitwise_xor": (cv2.bitwise_xor(mask, whole), mask ^ whole),
    "flip": (cv2.flip(mask, 1), mask[:, ::-1]),
}
right = [name for name, (found, wanted) in others.items() if found.dtype == bool and np.array_equal(found, wanted)]
print("right for booleans:", ", ".join(right))
refused = []
for name, call in {
    "add": lambda: cv2.add(mask, mask),
    "resize": lambda: cv2.resize(mask, (16, 16)),
    "dilate": lambda: cv2.dilate(mask, np.ones((3, 3), np.uint8)),
    "warpAffine": lambda: cv2.warpAffine(mask, np.float32([[1, 0, 1], [0, 1, 0]]), (8, 8)),
}.items():
    try:
        call()
    except cv2.error:
        refused.append(name)
print("an error for booleans:", ", ".join(refused))
if inverted.dtype != bool or not inverted.all() or not np.array_equal(of_bytes, expected):
    sys.exit("changed: bitwise_not")
if len(right) != len(others) or len(refused) != 4:
    sys.exit("changed: the other functions")
PYTHON
