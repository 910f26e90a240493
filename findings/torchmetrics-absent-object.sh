#!/usr/bin/env bash
# torchmetrics 1.9.0: for a perfect segmentation, generalized Dice by class is the share of images that have the class.
#   (Installs 3 GB.)
#
# Guess: a prediction that equals the truth has the best score in every metric, 1.0, for all classes that occur.
# What happens: an image without a class counts as 0 for that class in `GeneralizedDiceScore(per_class=True)`. With three
#   images of a fox and one of an owl, perfect predictions have 0.75 and 0.25, while the same metric without `per_class`
#   says 1.0. `MeanIoU` and `DiceScore` leave such images out. For an image without any object the metrics of one library
#   give nan (`MeanIoU`, `DiceScore`) and 0 (`GeneralizedDiceScore`, `BinaryJaccardIndex`, `BinaryF1Score`) if all is right.
# What a user meets: a class looks badly segmented because it is rare. Background images, added to measure false alarms,
#   lower one metric even where there is none, and do not count in another.
# What to do: count intersections and unions over the whole set. Decision here: masks are scored by COCO's AP.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6

"$python" -W ignore - <<'PYTHON'
import math
import sys

import torch
from torchmetrics.classification import BinaryF1Score, BinaryJaccardIndex
from torchmetrics.segmentation import DiceScore, GeneralizedDiceScore, MeanIoU

FOX, OWL = 1, 2
truth = torch.zeros(4, 8, 8, dtype=torch.long)
truth[:3, 2:5, 2:5] = FOX
truth[3, 2:6, 2:6] = OWL
OPTIONS = {"num_classes": 3, "input_format": "index", "include_background": False}


def of_perfect(metric, images):
    metric.update(images, images)
    return [round(one, 2) for one in metric.compute().reshape(-1).tolist()]


by_class = {
    "MeanIoU": of_perfect(MeanIoU(**OPTIONS, per_class=True), truth),
    "DiceScore": of_perfect(DiceScore(**OPTIONS, average="none"), truth),
    "GeneralizedDiceScore": of_perfect(GeneralizedDiceScore(**OPTIONS, per_class=True), truth),
}
whole = of_perfect(GeneralizedDiceScore(**OPTIONS), truth)
print("perfect predictions, 3 images of a fox and 1 of an owl, by class:", by_class)
print("GeneralizedDiceScore over all classes:", whole)
empty = torch.zeros(1, 8, 8, dtype=torch.long)
of_nothing = {kind.__name__: of_perfect(kind(**OPTIONS), empty)[0] for kind in (MeanIoU, DiceScore, GeneralizedDiceScore)}
of_nothing |= {kind.__name__: of_perfect(kind(), empty)[0] for kind in (BinaryJaccardIndex, BinaryF1Score)}
print("perfect prediction of an image without objects:", of_nothing)
if by_class != {"MeanIoU": [1, 1], "DiceScore": [1, 1], "GeneralizedDiceScore": [0.75, 0.25]} or whole != [1]:
    sys.exit("changed: by class")
left_out = {name for name, value in of_nothing.items() if math.isnan(value)}
if left_out != {"MeanIoU", "DiceScore"} or any(value for name, value in of_nothing.items() if name not in left_out):
    sys.exit("changed: the image without objects")
PYTHON
