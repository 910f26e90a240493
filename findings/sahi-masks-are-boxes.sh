#!/usr/bin/env bash
# sahi 0.12.8: `slice_coco` turns every RLE mask into a rectangle, and crowds into objects.
#
# Guess: a COCO file that is cut into tiles has the same masks and the same crowds, cut. A mask that the tool cannot read is
#   an error, or it is left out: the log says that it "is skipped since RLE segmentation format is not supported".
# What happens: only the reading is skipped. The tiles' file has a polygon for each such object: the corners of its box, with
#   the area of the box, in the same form as a real outline. An object that had only a box gets such a polygon too. `iscrowd`
#   is 0 in all of them, so that a region of many objects, which is neither trained nor counted, is one large object.
#   Polygons are cut exactly. globox 2.9.0 writes `iscrowd` 0 for crowds as well.
# What a user meets: masks of SAM and of most labelling models are RLE. A model for small objects, the purpose of tiles, is
#   trained to see rectangles, and a detector is trained on crowds as objects. Counts of objects look right.
# What to do: write polygons before cutting, and cut without crowds. Decision here: `factory export coco --masks polygons`
#   writes outlines along pixel edges, with holes joined by a seam, which `slice_coco` cuts right; `iscrowd` is 0 anyway.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq sahi==0.12.8 globox==2.9.0 pycocotools==2.0.11 numpy==2.4.6 pillow==13.0.0 \
    opencv-python-headless==5.0.0.93

cat >"$folder/tiles.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import numpy as np
from globox import AnnotationSet
from PIL import Image
from pycocotools import mask as coco_mask
from sahi.slicing import slice_coco

FOLDER = Path(sys.argv[1])
SIDE, FOX, MUG = 100, 3, 9
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
DISK = (ROWS - 50) ** 2 + (COLUMNS - 50) ** 2 <= 30**2
DIAMOND = [[50, 20, 80, 50, 50, 80, 20, 50]]


def as_rle(mask):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return rle | {"counts": rle["counts"].decode()}


def area_of(shape, width, height):
    if isinstance(shape, list):
        shape = coco_mask.merge(coco_mask.frPyObjects(shape, height, width))
    return int(coco_mask.area(shape))


def slice_one(name, shape, crowd=0):
    """Return the objects of two tiles, for an image with one object."""
    one = {"id": 1, "image_id": 1, "category_id": MUG, "bbox": [20, 20, 60, 60], "area": 1, "iscrowd": crowd}
    one |= {} if shape is None else {"segmentation": shape}
    root = FOLDER / name
    root.mkdir()
    Image.new("RGB", (SIDE, SIDE)).save(root / "a.png")
    image = {"id": 1, "file_name": "a.png", "width": SIDE, "height": SIDE}
    names = [{"id": FOX, "name": "fox"}, {"id": MUG, "name": "mug"}]
    (root / "in.json").write_text(json.dumps({"images": [image], "categories": names, "annotations": [one]}))
    tiles, _ = slice_coco(
        str(root / "in.json"), str(root), "out", output_dir=str(root / "out"), slice_height=SIDE // 2, slice_width=SIDE,
        overlap_height_ratio=0, overlap_width_ratio=0, verbose=False,
    )  # fmt: skip
    return tiles["annotations"], root / "in.json"


found = {}
for name, shape, crowd in (("RLE", as_rle(DISK), 0), ("polygon", DIAMOND, 0), ("box", None, 0), ("crowd", as_rle(DISK), 1)):
    tiles, file = slice_one(name, shape, crowd)
    before = 0 if shape is None else area_of(shape, SIDE, SIDE)
    after = sum(area_of(tile["segmentation"], SIDE, SIDE // 2) for tile in tiles)
    found[name] = (before, after, {tile["iscrowd"] for tile in tiles})
    print(f"{name}: a mask of {before} pixels has {after} in {len(tiles)} tiles; iscrowd was {crowd}, is {found[name][2]}")
print("the RLE mask in the first tile:", slice_one("again", as_rle(DISK))[0][0]["segmentation"])
AnnotationSet.from_coco(file).save_coco(FOLDER / "globox.json", auto_ids=True)
(copied,) = json.loads((FOLDER / "globox.json").read_text())["annotations"]
print("globox: iscrowd was 1, is", copied["iscrowd"])
boxes = 60 * 60
if found["RLE"][:2] != (2821, boxes) or found["box"][:2] != (0, boxes) or abs(found["polygon"][0] - found["polygon"][1]) > 70:
    sys.exit(f"changed: the masks {found}")
if found["crowd"][2] != {0} or copied["iscrowd"]:
    sys.exit("changed: the crowds")
PYTHON
"$python" -W ignore "$folder/tiles.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
