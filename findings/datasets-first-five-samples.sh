#!/usr/bin/env bash
# datasets 5.2.0 fixes the types of a WebDataset by its first five samples; later values are cut to fit, without an error.
#
# Guess: if a later sample has a float where the first ones had integers, the column becomes float, or loading fails.
#   A key that only later samples have is filled with None in the first ones.
# What happens: the types come from the first five samples of the first shard. After that a float in an integer column is
#   cut (0.93 becomes 0), and a new key, or a new file of the sample, is left out. Only a value that cannot be turned into the type
#   raises: text in a column that was null five times.
#   The same float as the fifth sample is refused ("incompatible types"). The webdataset library itself reads all of
#   it as it was written.
# What a user meets: scores of 0 and 1, or boxes without their fractions, if the first five happened to be whole numbers.
# Decision here: every sample of a WebDataset export has the same files and the same keys in its JSON, and boxes and
#   scores are floats in every sample (1.0, not 1). Where a value can be null, a reader should pass `features` to
#   load_dataset: then nothing is guessed, and the last check here reads 0.93.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq datasets==5.2.0 webdataset==1.0.2

HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 FOLDER="$folder" "$python" - <<'PYTHON'
import io
import json
import os
import sys
import tarfile

import datasets
import webdataset

datasets.disable_progress_bars()
FOLDER = os.environ["FOLDER"]


def write(name: str, samples: list[dict]) -> str:
    path = f"{FOLDER}/{name}.tar"
    with tarfile.open(path, "w") as tar:
        for number, sample in enumerate(samples):
            content = json.dumps(sample).encode()
            entry = tarfile.TarInfo(f"{number:03}.json")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def by_datasets(path: str, features: datasets.Features | None = None) -> list[dict] | str:
    try:
        rows = datasets.load_dataset("webdataset", data_files=path, split="train", features=features)
    except Exception as error:
        return str(error.__cause__ or error)
    return [row["json"] for row in rows]


def by_webdataset(path: str) -> list[dict]:
    return [json.loads(row["json"]) for row in webdataset.WebDataset(path, shardshuffle=False)]


whole = [{"score": 1}] * 5
cases = {
    "float in the sixth sample": ([*whole, {"score": 0.93}], {"score": 0}),
    "float in the fifth sample": ([*whole[:4], {"score": 0.93}], "int64 vs double"),
    "key in the sixth sample": ([*whole, {"score": 1, "origin": "filled"}], {"score": 1}),
    "text after five nulls": ([{"review": None}] * 5 + [{"review": "good"}], "null"),
}
changed = []
for name, (samples, expected_last) in cases.items():
    path = write(name.replace(" ", "-"), samples)
    if by_webdataset(path) != samples:
        changed.append(f"webdataset, {name}")
    read = by_datasets(path)
    last = read if isinstance(read, str) else read[-1]
    print(f"{name}: written {samples[-1]}, read by datasets {last}")
    fits = str(expected_last) in last if isinstance(read, str) else last == expected_last
    if not fits:
        changed.append(name)
number = datasets.Value("float64")
features = datasets.Features({"__key__": datasets.Value("string"), "json": {"score": number}})
read = by_datasets(write("typed", [*whole, {"score": 0.93}]), features)
print("float in the sixth sample, features passed: read by datasets", read[-1])
if read[-1] != {"score": 0.93}:
    changed.append("features passed")
if changed:
    sys.exit(f"changed: {changed}")
PYTHON
