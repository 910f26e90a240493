#!/usr/bin/env bash
# datasets 5.2.0 compresses JPEG images anew, at quality 75, if the function of a `map` merely looks at them.
#
# Guess: `map` that adds a column leaves the other columns alone; an image that nobody changed keeps its bytes.
# What happens: the first access to `sample["image"]` decodes it, and the decoded image is then saved again, as JPEG with
#   Pillow's default quality of 75 and half the resolution of colours, even if the function returns the new column alone.
#   The next `map` does it again, from these pixels. With `input_columns=["image"]` the bytes stay.
# What a user meets: each step that adds a width, a caption or a score spoils the images: hashes no longer match, small
#   red objects lose their edges, and a filter for image quality measures its own damage. Nothing is reported.
# Decision here: datasets are written from files' bytes without `map`. In your own code, use `input_columns`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq datasets==5.2.0 pillow==13.0.0 numpy==2.4.6

HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 "$python" - <<'PYTHON'
import io
import sys

import datasets
import numpy as np
from PIL import Image

datasets.disable_progress_bars()
squares = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
pixels = np.kron(squares, np.ones((9, 9, 1), np.uint8))
file = io.BytesIO()
Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0)
ORIGINAL = file.getvalue()
columns = datasets.Features({"image": datasets.Image()})
start = datasets.Dataset.from_dict({"image": [{"bytes": ORIGINAL, "path": "a.jpg"}]}, features=columns)


def add_width(sample):
    return {"width": sample["image"].width}


def add_width_of(image):
    return {"width": image.width}


def stored_bytes(dataset):
    return dataset.with_format("arrow")["image"][0].as_py()["bytes"]


def error(dataset):
    values = np.asarray(dataset[0]["image"]).astype(float)
    return float(np.abs(values - pixels).mean())


steps = {"start": start}
dataset = start
for number in (1, 2, 3):
    dataset = dataset.map(add_width)  # a later one replaces the column
    steps[f"after {number} map(s)"] = dataset
steps["after a map with input_columns"] = start.map(add_width_of, input_columns=["image"])
for name, one in steps.items():
    same = "same bytes" if stored_bytes(one) == ORIGINAL else "other bytes"
    print(f"{name}: {same}, mean error {error(one):.1f} of 255")
values = list(steps.values())
kept = [stored_bytes(one) == ORIGINAL for one in values]
if kept != [True, False, False, False, True] or not error(values[0]) < error(values[1]) < error(values[3]):
    sys.exit("changed")
PYTHON
