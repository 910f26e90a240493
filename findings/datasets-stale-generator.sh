#!/usr/bin/env bash
# datasets 5.2.0: `from_generator` returns yesterday's labels after the annotation file was corrected.
#
# Guess: a generator is run, as everywhere in Python; at least a changed input file is noticed, as `load_dataset` does.
# What happens: the result is kept on disk under a hash of the function's code and its arguments. What the function reads is
#   not part of it, and neither is a function that it imports. A new process with the same call gets the old rows,
#   whether the file was corrected or the imported parser was mended.
# What a user meets: labels are corrected, the training starts again and sees the old ones. Nothing is reported, and the
#   score does not move.
# What to do: pass something that changes with the content as an argument, such as the file's checksum, or use a new
#   `cache_dir` each time. Decision here: datasets are files made once; readers use `load_dataset`, which sees changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq datasets==5.2.0

cat >"$folder/read.py" <<'PYTHON'
import hashlib
import json
from pathlib import Path

import datasets
from parser import parse

datasets.disable_progress_bars()
FILE = Path(__file__).with_name("labels.jsonl")


def samples(path, checksum=None):
    for line in Path(path).read_text().splitlines():
        yield parse(json.loads(line))


checksum = hashlib.sha256(FILE.read_bytes()).hexdigest()
path = str(FILE)
print(
    datasets.Dataset.from_generator(samples, gen_kwargs={"path": path})["label"][0],
    datasets.Dataset.from_generator(samples, gen_kwargs={"path": path, "checksum": checksum})["label"][0],
    datasets.load_dataset("json", data_files=path, split="train")["label"][0],
)
PYTHON
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
seen=()
run() {
    seen+=("$("$python" "$folder/read.py" 2>"$folder/log")") || { tail -3 "$folder/log"; exit 1; }
    echo "$1: ${seen[-1]}"
}
echo "from_generator, the same with a checksum as argument, load_dataset:"
echo 'def parse(row): return row' >"$folder/parser.py"
echo '{"label": "cat"}' >"$folder/labels.jsonl"
run "the label is cat"
echo '{"label": "fox"}' >"$folder/labels.jsonl"
run "the label is corrected to fox"
echo 'def parse(row): return {"label": row["label"].upper()}' >"$folder/parser.py"
run "the imported parser now returns capitals"
[ "${seen[*]}" = "cat cat cat cat fox fox cat fox fox" ] || { echo "changed"; exit 1; }
