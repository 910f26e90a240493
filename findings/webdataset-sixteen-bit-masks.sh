#!/usr/bin/env bash
# webdataset 1.0.2: `decode("pil")` merges all objects of a mask whose number is above 255, and turns classes into colours.
#
# Guess: "pil" gives what `PIL.Image.open` gives: a 16-bit PNG as "I;16", a PNG with a palette as its indices.
# What happens: every image becomes 8-bit RGB, the masks too. In a 16-bit mask each number above 255 becomes 255, so that
#   hundreds of objects are one; in a mask with a palette (as VOC and many exporters have) the class number is replaced by
#   the colour that was chosen for it. "pill" gives grey levels, with the same loss. `datasets` reads the same tar rightly.
# What a user meets: panoptic and instance masks (COCO, Cityscapes and KITTI store numbers of several digits) are damaged
#   while loading, in some images only. Class 1 becomes 128 and class 2 becomes 0 in the red channel. There is no error.
# Decision here: shards hold masks as RLE in the JSON file. With mask images, give `decode` a handler of your own for them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq webdataset==1.0.2 datasets==5.2.0 pillow==13.0.0 numpy==2.4.6

HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 "$python" -W ignore - "$folder" 2>/dev/null <<'PYTHON'
import io
import sys

import datasets
import numpy as np
import webdataset
from PIL import Image

TAR = sys.argv[1] + "/a.tar"
numbers = np.zeros((20, 20), np.uint16)
numbers[5:10], numbers[10:15], numbers[15:] = 26001, 26002, 24000  # cars 1 and 2, person 0, as Cityscapes numbers them
classes = Image.fromarray((np.arange(400).reshape(20, 20) // 140).astype(np.uint8))
classes.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])  # background, class 1, class 2; the colours of VOC


def as_png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def own_png(key, data):
    return np.asarray(Image.open(io.BytesIO(data))) if key.endswith(".png") else None


def values(sample):
    return {name: np.unique(np.asarray(sample[name + ".png"])).tolist() for name in ("objects", "classes")}


with webdataset.TarWriter(TAR) as tar:
    tar.write({"__key__": "a", "objects.png": as_png(Image.fromarray(numbers)), "classes.png": as_png(classes)})
found = {
    kind if isinstance(kind, str) else "a handler of one's own": values(
        next(iter(webdataset.WebDataset(TAR, shardshuffle=False).decode(kind)))
    )
    for kind in ("pil", "pill", own_png)
}
found["datasets"] = values(datasets.load_dataset("webdataset", data_files=TAR, split="train")[0])
for name, one in found.items():
    print(f"{name}: objects {one['objects']}, classes {one['classes']}")
right = {"objects": [0, 24000, 26001, 26002], "classes": [0, 1, 2]}
wrong = {"objects": [0, 255], "classes": [0, 128]}
if found["pil"] != wrong or found["datasets"] != right or found["a handler of one's own"] != right:
    print("changed")
    sys.exit(1)
PYTHON
