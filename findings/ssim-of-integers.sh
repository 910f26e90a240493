#!/usr/bin/env bash
# scikit-image 0.26.0: after `.astype(int)` two images of pure noise have an SSIM of 1.0 and a PSNR of 339 dB.
#
# Guess: SSIM and PSNR depend on the values. `uint8` images made `int`, so that differences do not wrap around, give the
#   same result; if the range is not known, there is an error, as there is for floats.
# What happens: without `data_range` the range of the *type* is taken: 255 for uint8, 65535 for uint16, 2**63 for int64.
#   Compared with that range, values of 0 to 255 hardly differ. For float the functions refuse or demand the range.
# What a user meets: a check that an edited image kept its background, or that a copy is a near-duplicate, passes for
#   every pair of images. Any type but uint8 does it; so do 8-bit values in a 16-bit PNG. SSIM has a line of warning that
#   Python shows once for a range, PSNR has none.
# Decision here: both are called with `data_range=255`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq scikit-image==0.26.0 numpy==2.4.6

"$python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

rng = np.random.default_rng(0)
one, other = rng.integers(0, 256, (2, 64, 64), dtype=np.uint8)
print("two images of independent noise, 0 to 255:")
found, stated = {}, []
for kind in (np.uint8, np.int16, np.uint16, np.int32, np.int64):
    pair = one.astype(kind), other.astype(kind)
    found[kind.__name__] = structural_similarity(*pair), peak_signal_noise_ratio(*pair)
    stated.append(structural_similarity(*pair, data_range=255))
    ssim, psnr = found[kind.__name__]
    print(f"{kind.__name__}: SSIM {ssim:.4f}, PSNR {psnr:.1f} dB; SSIM with data_range=255 {stated[-1]:.4f}")
try:
    structural_similarity(one / 255, other / 255)
except ValueError as error:
    print("float64:", str(error).split(".")[0])
else:
    sys.exit("changed: floats are accepted without data_range")
if found["uint8"][0] > 0.1 or max(stated) > 0.1 or min(ssim for ssim, _ in list(found.values())[1:]) < 0.99:
    sys.exit("changed")
if found["uint8"][1] > 10 or found["int64"][1] < 300:
    sys.exit("changed")
PYTHON
