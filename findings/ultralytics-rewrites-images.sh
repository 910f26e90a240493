#!/usr/bin/env bash
# ultralytics 8.4.190: opening a dataset for training replaces some of its JPEGs by new ones. (Installs 4 GB.)
#
# Guess: training and validation read the images. A file that every viewer and Pillow's `verify` accept is left alone.
# What happens: a JPEG whose last two bytes are not its end marker is taken for a broken one, decoded, and saved under its
#   name at quality 100. The format allows bytes after the marker, and writers use them: phones for their own notes, backup
#   tools for padding, some programs for a newline. The image had no fault before. Afterwards 14 % of the
#   values are others, the file is four times as large, and its camera data is gone. The log says "corrupt JPEG restored and
#   saved" once, among the other lines of a scan; the second run finds nothing to report.
# What a user meets: the checksums of a dataset no longer agree after somebody trained on it, an upload sends files that
#   nobody edited, and the first training is on other values than those of the files that it was given.
# What to do: train on a copy, or save such files without what follows the marker. Decision here: exports are copies, never
#   links into the store of images, and an export that is made again replaces files whose checksum is another.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq ultralytics==8.4.190 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 pillow==13.0.0
# the window of OpenCV, which ultralytics asks for, needs libraries that a server lacks
"$python" -m pip uninstall -qq -y opencv-python
"$python" -m pip install -qq --no-deps --force-reinstall opencv-python-headless==5.0.0.93

cat >"$folder/scan.py" <<'PYTHON'
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from ultralytics.data.dataset import YOLODataset

FOLDER = Path(sys.argv[1])
noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
photo = Image.fromarray(noise).resize((160, 160), Image.Resampling.BICUBIC)
camera = Image.Exif()
camera[0x010F] = "A camera"
buffer = io.BytesIO()
photo.save(buffer, "JPEG", quality=85, exif=camera)
FILES = {"plain": buffer.getvalue(), "newline": buffer.getvalue() + b"\n", "notes": buffer.getvalue() + b"notes of a phone"}
for name in ("images", "labels"):
    (FOLDER / name).mkdir()
for name, content in FILES.items():
    (FOLDER / f"images/{name}.jpg").write_bytes(content)
    (FOLDER / f"labels/{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")


def describe(path):
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int), image.getexif().get(0x010F), path.stat().st_size


paths = sorted((FOLDER / "images").iterdir())
before = {path.stem: describe(path) for path in paths}
YOLODataset(img_path=str(FOLDER / "images"), data={"names": {0: "fox"}, "channels": 3}, task="detect")
changed = set()
for path in paths:
    (old, camera, size), (new, camera_after, size_after) = before[path.stem], describe(path)
    if path.read_bytes() != FILES[path.stem]:
        changed.add(path.stem)
    share = round(float((old != new).mean()), 2)
    print(f"{path.stem}: {size} bytes, then {size_after}; {camera}, then {camera_after}; other values: {share:.0%}")
    if path.stem in changed and (share < 0.05 or size_after < 2 * size or camera_after is not None):
        sys.exit("changed: what is written")
if changed != {"newline", "notes"}:
    sys.exit(f"changed: {sorted(changed)}")
PYTHON
export YOLO_CONFIG_DIR="$folder/settings" YOLO_OFFLINE=1
"$python" -W ignore "$folder/scan.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
