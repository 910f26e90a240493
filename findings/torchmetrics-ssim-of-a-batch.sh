#!/usr/bin/env bash
# torchmetrics 1.9.0: the SSIM of two images depends on the other images in the batch. (Installs 3 GB.)
#
# Guess: SSIM is a measure of a pair, so that the batch size changes the speed alone; the range of floats is 0 to 1.
# What happens: without `data_range` the range is taken from the values: the largest difference within the batch. A pair
#   of low contrast (fog, night, a wall) that is alone is judged by its own narrow range; next to a colourful image it
#   is judged by the range of that. The metric's object does so for each `update`. PSNR demands the range, SSIM does not.
# What a user meets: the same images have another score with another batch size, order of samples or number of GPUs, and
#   a threshold that was set with batches accepts or drops other images when they come one by one. Nothing is reported.
# Decision here: SSIM is computed by scikit-image with the range stated. With torchmetrics, always state `data_range`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6

"$python" -W ignore - <<'PYTHON'
import sys

import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.image import StructuralSimilarityIndexMeasure

random = torch.Generator().manual_seed(0)
fog, other = 0.48 + 0.04 * torch.rand(2, 8, 3, 64, 64, generator=random)  # two textures, unrelated
colourful = torch.rand(8, 3, 64, 64, generator=random)


def of_first(before, after, **options):
    return round(float(structural_similarity_index_measure(before, after, reduction="none", **options)[0]), 3)


def by_object(batch_size, **options):
    metric = StructuralSimilarityIndexMeasure(**options)
    before, after = torch.cat([fog, colourful]), torch.cat([other, colourful])
    for start in range(0, len(before), batch_size):
        metric.update(before[start : start + batch_size], after[start : start + batch_size])
    return round(float(metric.compute()), 3)


mixed = torch.cat([fog[:1], colourful[:1]]), torch.cat([other[:1], colourful[:1]])
alone, joined = of_first(fog[:1], other[:1]), of_first(*mixed)
print(f"one pair of unrelated textures of low contrast: {alone} alone, {joined} next to another pair")
sizes = {size: by_object(size) for size in (1, 4, 16)}
print("mean of the same 16 pairs, by batch size:", sizes)
stated = {size: by_object(size, data_range=1.0) for size in (1, 4, 16)}
print("with data_range=1.0:", stated)
try:
    peak_signal_noise_ratio(fog, other)
except TypeError as error:
    print("PSNR without a range:", error)
else:
    sys.exit("changed: PSNR")
if alone > 0.1 or joined < 0.7 or sizes[16] - sizes[1] < 0.2 or len(set(stated.values())) != 1:
    sys.exit("changed")
PYTHON
