"""CPU time by part of the worker, and of its servers."""

from collections import Counter
from contextlib import suppress

import psutil

PARTS = {
    "parent": "worker's parent: Celery's queue, events, acknowledgements",
    "child": "worker's child: the task, the next link's message",
    "dispatcher": "dispatcher, a thread of the parent",
    "broker": "broker",
    "database": "PostgreSQL",
}
"""Each part and its name on the page."""
WORKER_PARTS = ("parent", "child", "dispatcher")


def cpu_ms_by_part(worker: psutil.Process) -> Counter[str]:
    """Return the CPU milliseconds used so far by each part.

    Servers are those started by this process, including the worker's broker.
    """
    used: Counter[str] = Counter()
    for thread in worker.threads():
        part = "parent" if thread.id == worker.pid else "dispatcher"
        used[part] += round(1000 * (thread.user_time + thread.system_time))
    children = worker.children(recursive=True)
    for child in children:
        used["child"] += _cpu_ms_of(child)
    for server in psutil.Process().children(recursive=True):
        if server not in (worker, *children):
            with suppress(psutil.NoSuchProcess):  # PostgreSQL ends some of its processes
                used["database" if "postgres" in server.name() else "broker"] += _cpu_ms_of(server)
    return used


def _cpu_ms_of(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return int(1000 * (times.user + times.system))
    return 0
