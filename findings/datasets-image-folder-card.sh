#!/usr/bin/env bash
# datasets 5.2.0 takes the types of a WebDataset from the dataset card, and ignores them for an ImageFolder.
#
# Guess: `dataset_info: features` in README.md holds for every kind of dataset; nothing has to be guessed then.
# What happens: for a WebDataset it holds. For an ImageFolder the types are guessed from metadata.jsonl again, and compared
#   between the splits before anything else: a split in which every list is empty has lists of null, and loading fails with "have
#   different features". The same rows in metadata.parquet have types of their own and load.
# What a user meets: a dataset of many images cannot be loaded because a small split has no object.
# Decision here: WebDataset exports state their types on the card. An ImageFolder export has metadata.jsonl, and
#   metadata.parquet if one of its splits has no object.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq datasets==5.2.0 pillow==13.0.0

HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 FOLDER="$folder" "$python" - <<'PYTHON'
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import datasets
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

datasets.disable_progress_bars()
FOLDER = Path(os.environ["FOLDER"])
ROWS = {"train": [1, 2], "test": []}
CARD = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: "train%s"}
  - {split: test, path: "test%s"}
dataset_info:
  features:
%s---
"""
IMAGE_FOLDER = "  - {name: image, dtype: image}\n  - {name: ids, list: int64}\n"
WEBDATASET = """\
  - {name: json, struct: [{name: ids, list: int64}]}
  - {name: __key__, dtype: string}
  - {name: __url__, dtype: string}
"""


def image_folder(name: str, *, typed: bool) -> Path:
    root = FOLDER / name
    for split, ids in ROWS.items():
        (root / split).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / split / "a.png")
        row = {"file_name": "a.png", "ids": ids}
        if typed:
            schema = pa.schema([("file_name", pa.string()), ("ids", pa.list_(pa.int64()))])
            parquet.write_table(pa.Table.from_pylist([row], schema), root / split / "metadata.parquet")
        else:
            (root / split / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    (root / "README.md").write_text(CARD % ("/**", "/**", IMAGE_FOLDER))
    return root


def webdataset() -> Path:
    root = FOLDER / "shards"
    root.mkdir()
    for split, ids in ROWS.items():
        with tarfile.open(root / f"{split}-0.tar", "w") as tar:
            content = json.dumps({"ids": ids}).encode()
            entry = tarfile.TarInfo("a.json")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (root / "README.md").write_text(CARD % ("-*.tar", "-*.tar", WEBDATASET))
    return root


def read(root: Path) -> str:
    try:
        loaded = datasets.load_dataset(str(root))
    except ValueError as error:
        return "error: different features" if "different features" in str(error) else str(error)
    rows = [row.get("json", row)["ids"] for split in ROWS for row in loaded[split]]
    return f"read {rows}"


found = {
    "WebDataset, types on the card": read(webdataset()),
    "ImageFolder, types on the card, metadata.jsonl": read(image_folder("json", typed=False)),
    "ImageFolder, metadata.parquet": read(image_folder("parquet", typed=True)),
}
for name, result in found.items():
    print(f"{name}: {result}")
expected = ["read [[1, 2], []]", "error: different features", "read [[1, 2], []]"]
if list(found.values()) != expected:
    sys.exit("changed")
PYTHON
