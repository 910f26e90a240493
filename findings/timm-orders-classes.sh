#!/usr/bin/env bash
# timm 1.0.31 and torchvision 0.29.1 give the classes of one folder of images different numbers. (Installs 3 GB.)
#
# Guess: "a folder per class" is one format. All readers sort the names of the folders, so that a class has the same number
#   in each, and the folders directly under the root are the classes.
# What happens: torchvision and datasets sort by code points: capital letters first, "size-10" before "size-2". timm sorts as
#   a person would, without regard to case and with numbers by value. Of four classes three have another number. If folders
#   have folders inside, timm takes the name of the innermost one as the class: cat/large and dog/large are one class.
#   All of them read the folder without a warning, and the number of classes is the same.
# What a user meets: a model is trained by timm's script, and its predictions are read by another program's list of classes,
#   or the other way round. Accuracy is near that of guessing, or, if only some names have capital letters or numbers, some
#   classes look as if the model confused them.
# What to do: state the order by timm's `class_map`, shown below. Decision here: the numbers of the format `classification`
#   are torchvision's; docs/export.md says so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq timm==1.0.31 torch==2.14.1 torchvision==0.29.1 datasets==5.2.0 pillow==13.0.0 numpy==2.4.6

cat >"$folder/classes.py" <<'PYTHON'
import sys
from pathlib import Path

from datasets import load_dataset
from PIL import Image
from timm.data import create_dataset
from torchvision.datasets import ImageFolder

FOLDER = Path(sys.argv[1])


def write(root, names):
    for name in names:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / name / "a.png")
    return root


def by_datasets(root):
    split = load_dataset("imagefolder", data_dir=str(root), cache_dir=str(FOLDER / "cache"), split="train")
    return {name: number for number, name in enumerate(split.features["label"].names)}


flat = write(FOLDER / "flat", ("Zebra", "ant", "size-2", "size-10"))
found = {
    "torchvision": ImageFolder(flat).class_to_idx,
    "datasets": by_datasets(flat),
    "timm": create_dataset("", flat).reader.class_to_idx,
}
for reader, numbers in found.items():
    print(f"{reader}: {numbers}")
names = sorted(found["torchvision"], key=found["torchvision"].get)
(FOLDER / "classes.txt").write_text("\n".join(names))
stated = create_dataset("", flat, class_map=str(FOLDER / "classes.txt")).reader.class_to_idx
print("timm with a class_map:", stated)
deep = write(FOLDER / "deep", ("cat/large", "cat/small", "dog/large", "dog/small"))
classes = {"torchvision": ImageFolder(deep).class_to_idx, "timm": create_dataset("", deep).reader.class_to_idx}
print("folders in folders:", classes)
same = [name for name in names if found["torchvision"][name] == found["timm"][name]]
if found["datasets"] != found["torchvision"] or same != ["size-10"] or stated != found["torchvision"]:
    sys.exit(f"changed: the numbers, {same}")
if set(classes["torchvision"]) != {"cat", "dog"} or set(classes["timm"]) != {"large", "small"}:
    sys.exit("changed: folders in folders")
PYTHON
"$python" -W ignore "$folder/classes.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
