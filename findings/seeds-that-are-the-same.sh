#!/usr/bin/env bash
# torch 2.14.1, numpy 2.4.6: different seeds give the same numbers: 1 and 2**32 + 1 in torch, 7 and [7, 0] in numpy.
#   (Installs 3 GB.)
#
# Guess: seeds that are different, and that are accepted, give different numbers. torch takes 64 bits, numpy takes lists of
#   numbers to combine, and documents them for workers: `default_rng([worker, seed])`.
# What happens: torch's generator on the CPU uses the lower 32 bits and drops the others; `initial_seed()` still returns
#   all 64. numpy fills a list with zeros: 7, [7], [7, 0] and [7, 0, 0] are one seed, and 2**32 + 5 is the list [5, 1].
#   Python's `random` ignores the sign: -5 is 5.
# What a user meets: with `seed = run << 32 | image`, each run paints the same images. 64-bit hashes as seeds have only
#   32 bits, so that among 77,000 images two are likely to have the same noise. In numpy, `[seed, 0]` of the first worker
#   is the seed of the main program: it repeats what the main program drew, for example the split into training and test.
# What to do: make 32-bit seeds by a hash of all parts, or `SeedSequence.spawn` in numpy. Decision here: seeds are 32 bits of
#   a SHA-256 over all parts; lists for numpy have two numbers everywhere.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq torch==2.14.1 numpy==2.4.6

"$python" - <<'PYTHON'
import random
import sys

import numpy as np
import torch


def noise(seed):
    return torch.randn(4, 64, 64, generator=torch.Generator("cpu").manual_seed(seed))


def draw(seed):
    return np.random.default_rng(seed).random(1000).tolist()


RUNS = (1, 2, 3)
seeds = [run << 32 | 17 for run in RUNS]
same_noise = all(torch.equal(noise(17), noise(seed)) for seed in seeds)
reported = [torch.Generator("cpu").manual_seed(seed).initial_seed() for seed in seeds]
print(f"torch: noise of the seeds {[17, *seeds]} is equal: {same_noise}; initial_seed(): {reported}")
print("torch: noise of the seeds 17 and 18 is equal:", torch.equal(noise(17), noise(18)))
lists = ([7], [7, 0], [7, 0, 0])
same_draw = [seed for seed in lists if draw(seed) == draw(7)]
print(f"numpy: as seed 7: {same_draw}; [0, 7] is as 7: {draw([0, 7]) == draw(7)}; [5, 1] is as 2**32 + 5: {draw([5, 1]) == draw(2**32 + 5)}")
spawned = [np.random.default_rng(one).random(1000).tolist() for one in np.random.SeedSequence(7).spawn(2)]
print("numpy: spawned seeds are as 7:", [one == draw(7) for one in spawned])
print("random: -5 is as 5:", random.Random(-5).random() == random.Random(5).random())
if not same_noise or reported != seeds or torch.equal(noise(17), noise(18)):
    sys.exit("changed: torch")
if len(same_draw) != len(lists) or draw([0, 7]) == draw(7) or draw([5, 1]) != draw(2**32 + 5) or draw(7) in spawned:
    sys.exit("changed: numpy")
if random.Random(-5).random() != random.Random(5).random():
    sys.exit("changed: random")
PYTHON
