#!/usr/bin/env bash
# s3fs 2026.9.0 with fsspec 2026.9.0, server moto 5.2.5: `find` returns folders among the files.
#
# Guess: `find(path)` returns files only (`withdirs` is False), and each of them can be asked for its time.
# What happens: an object whose name ends in a slash, which consoles make for "create folder", is listed as a file. `modified` of it is an
#   IsADirectoryError without a message.
#   A prefix that has nothing but such an object returns itself. Local folders are left out by the same method.
# What a user meets: a program that goes over all files of a bucket ends at the first folder that somebody made in a browser, or
#   counts and moves it as a file.
# What to do: leave out paths that end in a slash, and the root itself. Decision here: the image store does both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq "moto[server]==5.2.5" s3fs==2026.9.0 fsspec==2026.9.0

AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=us-east-1 "$python" - "$folder" 2>/dev/null <<'PYTHON'
import os
import sys

import fsspec
import s3fs
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
host, port = server.get_host_and_port()
files = s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}", use_listings_cache=False)
files.call_s3("create_bucket", Bucket="bucket")
files.call_s3("put_object", Bucket="bucket", Key="images/", Body=b"")
empty = files.find("bucket/images")
files.call_s3("put_object", Bucket="bucket", Key="images/new/", Body=b"")
files.call_s3("put_object", Bucket="bucket", Key="images/new/a.png", Body=b"pixels")
found = files.find("bucket/images")
failed = {}
for path in found:
    try:
        files.modified(path)
    except OSError as error:
        failed[path] = f"{type(error).__name__}({error})"
server.stop()

os.makedirs(f"{sys.argv[1]}/images/new")
local = fsspec.filesystem("file").find(f"{sys.argv[1]}/images")
print(f"an empty folder in a bucket: {empty}; on a disk: {local}")
print(f"with one file: {found}")
print(f"modified: {failed}")
if empty != ["bucket/images/"] or local:
    sys.exit("changed: what an empty folder returns")
if found != ["bucket/images/", "bucket/images/new/", "bucket/images/new/a.png"]:
    sys.exit("changed: what find returns")
if failed != {path: "IsADirectoryError()" for path in found[:2]}:
    sys.exit("changed: what modified does")
PYTHON
