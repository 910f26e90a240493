#!/usr/bin/env bash
# isal 1.9.1 (ISA-L 2.32.1), x86-64: the same bytes, compressed twice at level 1, are sometimes two different streams.
#
# Guess: deflate is a function of the input, the level and the version; on one machine, equal input gives equal output, so a
#   sha256 of the compressed file may name the content.
# What happens: the code of levels 1 and 2 computes the hash of the third input byte from a register that still has the address of the
#   stream's structure, shifted by 16 bits. If that hash is by chance the one of the first or second byte, a match at the beginning
#   is missed. Both streams are valid and give the input back. The address is on the stack of the thread, so the output is
#   constant in a thread and changes with the thread or the process: 1 to 3 threads of 10000 differ.
# What a user meets: a content-addressed store has two files of one image; a repeated or resumed job is not byte for byte the same; a
#   test of this fails once in some weeks, and never when it is repeated in the same process.
# What to do: flush after a few bytes (`compressobj`, `Z_SYNC_FLUSH`): so short a piece is done by other code, and what follows has a
#   history, for which the register is right. Or use zlib. Decision here: the first 16 bytes of each PNG are a block of their own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq isal==1.9.1
if [ "$(uname -m)" != x86_64 ]; then
    echo "not tried: this is not x86-64"
    exit 0
fi

cat >"$folder/count.py" <<'PYTHON'
"""Compress in many threads that are alive at the same time, so that each has a stack of its own."""

import json
import sys
import threading
from collections import Counter

from isal import isal_zlib

DATA = bytes([2]) + bytes([106, 248, 118]) * 64 + bytes(6000) + b"the end"
THREADS = 1000


def in_one_piece():
    return isal_zlib.compress(DATA, 1)


def after_a_flush():
    packer = isal_zlib.compressobj(1)
    first = packer.compress(DATA[:16]) + packer.flush(isal_zlib.Z_SYNC_FLUSH)
    return first + packer.compress(DATA[16:]) + packer.flush()


def work(ways, found, lock, done, end):
    streams = [way() for way in ways]
    with lock:
        for seen, stream in zip(found, streams):
            seen[stream] += 1
        done.release()
    end.wait()


threading.stack_size(512 * 1024)
ways = (in_one_piece, after_a_flush)
found = [Counter() for _ in ways]
lock, done, end = threading.Lock(), threading.Semaphore(0), threading.Event()
threads = [threading.Thread(target=work, args=(ways, found, lock, done, end)) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for _ in threads:
    done.acquire()
end.set()
for seen in found:
    for stream in seen:
        if isal_zlib.decompress(stream) != DATA:
            sys.exit("changed: a stream does not give the input back")
print(json.dumps([{stream.hex(): count for stream, count in seen.items()} for seen in found]))
PYTHON

"$python" - "$folder/count.py" <<'PYTHON'
import json
import subprocess
import sys
from collections import Counter

totals = [Counter(), Counter()]
for _ in range(40):  # processes: each has other addresses
    output = subprocess.run([sys.executable, sys.argv[1]], check=True, capture_output=True, text=True)
    for total, seen in zip(totals, json.loads(output.stdout)):
        total.update(seen)
    if len(totals[0]) > 1 and totals[0].total() >= 10_000:
        break
for name, total in zip(("in one piece", "after a flush"), totals):
    lengths = {len(stream) // 2 for stream in total}
    print(f"{name}: {total.total()} calls gave {len(total)} streams of {sorted(lengths)} bytes, {sorted(total.values())} times")
if len(totals[0]) < 2:
    sys.exit("changed: the stream no longer depends on the address")
if len(totals[1]) != 1:
    sys.exit("changed: after a flush it depends on the address too")
PYTHON
