#!/usr/bin/env bash
# s3fs 2026.9.0 with fsspec 2026.9.0, server moto 5.2.5: `mv` takes the name of an object for a pattern; an empty first folder lists nothing.
#
# Guess: `mv(a, b)` moves the one object that `find` listed as `a`. What is written to `bucket//folder/a` is listed below `bucket//folder`.
# What happens: `*`, `?` and `[` in `a` are a pattern, also in a folder of its path. All objects that match are moved into a folder named `b`;
#   a name with `[` that does not match itself is a FileNotFoundError. Moving on a local disk takes the name as it is.
#   `find` cuts the first slash of the prefix, so below `bucket//folder` it finds only that name; `cat_file` reads the object.
# What a user meets: tidying one object named `*.png` away moves every picture of its folder. Or a prefix typed with two
#   slashes takes all files and shows none, so that a comparison calls all of them lost.
# What to do: `cp_file` and `rm_file`, which take names. Refuse a prefix that begins with a slash. Decision here: the image store does both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq "moto[server]==5.2.5" s3fs==2026.9.0 fsspec==2026.9.0

AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=us-east-1 "$python" - "$folder" 2>/dev/null <<'PYTHON'
import sys
from pathlib import Path

import fsspec
import s3fs
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
host, port = server.get_host_and_port()
files = s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}", use_listings_cache=False)
files.call_s3("create_bucket", Bucket="bucket")
for name in ("a.png", "b.png", "*.png", "[1].txt"):
    files.pipe_file(f"bucket/in/{name}", name.encode())
files.mv("bucket/in/*.png", "bucket/aside/one.png")
moved = files.find("bucket/aside")
try:
    files.mv("bucket/in/[1].txt", "bucket/aside/two.txt")
    bracket = "moved"
except FileNotFoundError:
    bracket = "FileNotFoundError"
files.pipe_file("bucket//folder/a", b"content")
listed, read = files.find("bucket//folder"), files.cat_file("bucket//folder/a")
server.stop()

disk = Path(sys.argv[1]) / "in"
disk.mkdir()
for name in ("a.png", "*.png"):
    (disk / name).write_text(name)
fsspec.filesystem("file").mv(f"{disk}/*.png", f"{disk}/one")
local = sorted(path.name for path in disk.iterdir())
print(f"mv of *.png in a bucket: {moved}; on a disk: {local}")
print(f"mv of [1].txt: {bracket}; find of bucket//folder: {listed}, cat_file: {read!r}")
if moved != [f"bucket/aside/one.png/{name}" for name in ("*.png", "a.png", "b.png")]:
    sys.exit("changed: what mv of a name with a star moves")
if local != ["a.png", "one"]:
    sys.exit("changed: what mv moves on a disk")
if bracket != "FileNotFoundError":
    sys.exit("changed: what mv does with a bracket")
if listed != ["bucket//folder"] or read != b"content":
    sys.exit("changed: a prefix that begins with a slash")
PYTHON
