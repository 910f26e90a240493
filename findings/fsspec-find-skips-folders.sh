#!/usr/bin/env bash
# fsspec 2026.9.0: `find` and `walk` leave out a folder that cannot be read, also with `on_error="raise"`.
#
# Guess: a folder that exists but cannot be listed (permissions, a failing disk, a path that is too long) is an error of `find`; or it is
#   skipped by default, as in `os.walk`, and `walk` has `on_error` for those who want the error.
# What happens: it is skipped silently, and `on_error` holds for the first folder only: `walk` does not pass it on to the folders below, and
#   `find` has no such parameter but takes it. `glob`, `du` and recursive `get` are built on them. A folder that can be read is needed
#   for the comparison; the other one here has a path that is too long for the system, which is also an error for root.
# What a user meets: a backup without a part of the files, a size that is too small, and a check for lost files that reports files as lost
#   that are there; a repair after it does the damage.
# What to do: `os.walk` with `onerror` for local folders. Decision here: the image store does that, and a folder that cannot be read
#   ends the check with an error.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq fsspec==2026.9.0

"$python" -W error - "$folder/tree" <<'PYTHON'
import os
import sys

import fsspec

root = sys.argv[1]
os.makedirs(f"{root}/readable")
open(f"{root}/readable/a.txt", "w").close()
place = os.open(root, os.O_DIRECTORY)
for _ in range(20):  # 20 x 250 characters: no program can name the last folders by their path
    os.mkdir("d" * 250, dir_fd=place)
    place = os.open("d" * 250, os.O_DIRECTORY, dir_fd=place)
os.close(os.open("b.txt", os.O_CREAT | os.O_WRONLY, dir_fd=place))

files = fsspec.filesystem("file")
found = [os.path.basename(path) for path in files.find(root)]
asked = [os.path.basename(path) for path in files.find(root, on_error="raise")]
walked = [name for _, _, names in files.walk(root, on_error="raise") for name in names]
errors = []
for _ in os.walk(root, onerror=errors.append):
    pass
missing = "no error"
try:
    list(files.walk(f"{root}/nowhere", on_error="raise"))
except FileNotFoundError as error:
    missing = type(error).__name__
print(f"find: {found}; with on_error='raise': {asked}; walk with on_error='raise': {walked}")
print(f"os.walk reports: {[error.strerror for error in errors]}; walk of a first folder that is missing: {missing}")
if not found == asked == walked == ["a.txt"]:
    sys.exit("changed: what find and walk return")
if len(errors) != 1 or missing != "FileNotFoundError":
    sys.exit("changed: what is reported")
PYTHON
