#!/usr/bin/env bash
# datasets 5.2.0 stores the original file of an image that was edited after it was opened; the edit is lost.
#
# Guess: what is stored is what the image object holds: a face that was covered with `paste` stays covered.
# What happens: an image that Pillow opened from a path still has this path, and datasets then stores the path and not the
#   pixels. Each later read opens the file, without the edit. Every change in place is lost (`paste`, `ImageDraw`,
#   `putpixel`, `thumbnail`), in `from_dict`, in `from_generator` and in the result of `map`. Operations that return a new
#   image (`copy`, `convert`, `resize`) have no path, so that their pixels are stored.
# What a user meets: blurred faces, hidden logos and drawn boxes are gone from the published dataset, and images reduced by
#   `thumbnail` no longer fit their boxes. Nothing is reported, and the object in memory shows the edit.
# Decision here: exporters give datasets the bytes of a file, never an image object. With an object: `image.copy()` first.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq datasets==5.2.0 pillow==13.0.0 numpy==2.4.6

HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 "$python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import datasets
from PIL import Image, ImageDraw

FOLDER = Path(sys.argv[1])
FACE, HIDDEN = (200, 150, 120), (0, 0, 0)
datasets.disable_progress_bars()
Image.new("RGB", (100, 80), FACE).save(FOLDER / "face.png")
FEATURES = datasets.Features({"image": datasets.Image()})


def opened():
    return Image.open(FOLDER / "face.png")


def covered(image):
    ImageDraw.Draw(image).rectangle((0, 0, 99, 79), fill=HIDDEN)
    return image


def samples():
    yield {"image": covered(opened())}


def reduced(image):
    image.thumbnail((50, 50))
    return image


def stored(image):
    return datasets.Dataset.from_dict({"image": [image]}, features=FEATURES)


print("in memory:", covered(opened()).getpixel((50, 40)))
original = stored(str(FOLDER / "face.png"))
found = {
    "from_dict": stored(covered(opened())),
    "from_generator": datasets.Dataset.from_generator(samples, features=FEATURES),
    "map": original.map(lambda sample: {"image": covered(sample["image"])}),
    "a copy, then edited": stored(covered(opened().copy())),
}
colours = {name: dataset[0]["image"].getpixel((50, 40)) for name, dataset in found.items()}
for name, colour in colours.items():
    print(f"{name}: {colour}")
sizes = reduced(opened()).size, stored(reduced(opened()))[0]["image"].size
print("after thumbnail, in memory and stored:", *sizes)
if list(colours.values()) != [FACE, FACE, FACE, HIDDEN] or sizes != ((50, 40), (100, 80)):
    sys.exit("changed")
PYTHON
