#!/usr/bin/env bash
# torchvision 0.29.1: when an object leaves the image, the remaining boxes get other objects' key points. (Installs 3 GB.)
#
# Guess: `SanitizeBoundingBoxes` removes an object as a whole: box, label, mask and key points, a type of torchvision's
#   own, which all other transforms know.
# What happens: it removes the rows of boxes, labels and masks. Key points, `area`, `iscrowd` and scores keep all their
#   rows, so that row 0 of the boxes and row 0 of the key points are different people from then on.
# What a user meets: only images with a removed object are wrong, and only those that augmentation cropped. Key point models
#   take row i for box i and train on it without an error; COCO's evaluation takes areas and crowds from other objects.
# What to do: `SanitizeBoundingBoxes(labels_getter=...)` with a function that returns all these entries; shown below.
#   This project trains with boxes, labels and masks alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq torch==2.14.1 torchvision==0.29.1 numpy==2.4.6

"$python" -W ignore - <<'PYTHON'
import sys

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

SIZE = (100, 200)  # height and width


def sample():
    """Two people: one at the left edge, who is cropped away, and one in the middle."""
    boxes = torch.tensor([[0.0, 10.0, 20.0, 60.0], [90.0, 10.0, 130.0, 90.0]])
    noses = torch.tensor([[[10.0, 15.0]], [[110.0, 20.0]]])
    masks = torch.zeros(2, *SIZE, dtype=torch.uint8)
    masks[0, 10:60, 0:20] = masks[1, 10:90, 90:130] = 1
    return {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=SIZE),
        "labels": torch.tensor([1, 2]),
        "masks": tv_tensors.Mask(masks),
        "keypoints": tv_tensors.KeyPoints(noses, canvas_size=SIZE),
        "area": torch.tensor([1000.0, 3200.0]),
        "iscrowd": torch.tensor([1, 0]),
    }


def rows_of(target):
    return tuple(target[name] for name in ("labels", "keypoints", "area", "iscrowd"))


class CropLeft(v2.Transform):
    def transform(self, value, _):
        return v2.functional.crop(value, 0, 50, 100, 150) if isinstance(value, tv_tensors.TVTensor) else value


found = {}
for name, sanitize in {
    "by default": v2.SanitizeBoundingBoxes(),
    "with labels_getter": v2.SanitizeBoundingBoxes(labels_getter=rows_of),
}.items():
    found[name] = target = v2.Compose([CropLeft(), sanitize])(sample())
    print(f"{name}: rows", {key: len(value) for key, value in target.items()})
    print("  box 0", target["boxes"][0].tolist(), "key point 0", target["keypoints"][0, 0].tolist())
    print("  area 0", target["area"][0].item(), "iscrowd 0", target["iscrowd"][0].item())
default, stated = ({key: len(value) for key, value in target.items()} for target in found.values())
if default != {"boxes": 1, "labels": 1, "masks": 1, "keypoints": 2, "area": 2, "iscrowd": 2}:
    sys.exit("changed")
if set(stated.values()) != {1}:
    sys.exit("changed: labels_getter")
PYTHON
