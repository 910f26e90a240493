#!/usr/bin/env bash
# celery 5.7.0: with `--pool threads` or `--pool solo`, time limits and `worker_max_tasks_per_child` do nothing, without a word.
#
# Guess: `task_time_limit` holds for every pool; one that cannot end a task says so at the start or refuses the option.
# What happens: only a prefork worker obeys. A task of 5 seconds with a limit of 2 ends as DONE in the pools of threads and
#   solo, and the process is never replaced. The log has no warning.
# What a user meets: with a GPU, solo and threads are the usual pools, because a forked child cannot use CUDA. A model that
#   hangs then holds its worker for ever, the memory that `max_tasks_per_child` should free grows for days, and with late
#   acknowledgement the visibility timeout gives the task to a second worker while the first still runs.
# Decision here: models have a prefork pool of one spawned child. Tasks that only wait for a server have threads; there the
#   time-outs of the requests are the limit.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq celery==5.7.0

cat >"$folder/tasks.py" <<'PYTHON'
import os
import time

import celery

app = celery.Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {name: "queue" for name in ("data_folder_in", "data_folder_out", "control_folder")}
app.conf.update(task_time_limit=2, task_soft_time_limit=1, worker_max_tasks_per_child=1)
app.conf.update(worker_enable_remote_control=False)


@app.task
def paint(seconds):
    try:
        time.sleep(seconds)
        result = "DONE"
    except celery.exceptions.SoftTimeLimitExceeded:
        result = "ENDED"
    with open("results", "a") as file:
        file.write(f"{result} {os.getpid()}\n")
PYTHON

cd "$folder"
for pool in prefork threads solo; do
    rm -rf queue results
    mkdir queue
    "$python" -c "import tasks; tasks.paint.delay(5); tasks.paint.delay(0)"
    timeout 15 "$python" -m celery -A tasks worker --pool $pool --concurrency 1 --loglevel WARNING \
        --without-gossip --without-mingle >"log.$pool" 2>&1 || true # it serves until the timeout
    results=$(cut -d' ' -f1 results | sort | tr '\n' ' ')
    processes=$(cut -d' ' -f2 results | sort -u | wc -l)
    warnings=$(grep -ciE 'time.?limit|max.?tasks' "log.$pool" || true)
    echo "$pool: a task of 5 s and one of 0 s, limit 1 s: $results; $processes process(es); log lines about limits: $warnings"
    case $pool in
    prefork) [ "$results$processes" = "DONE ENDED 2" ] ;;
    *) [ "$results$processes$warnings" = "DONE DONE 10" ] ;;
    esac || { echo "changed"; exit 1; }
done
