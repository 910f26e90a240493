"""Progress of the runs that are open in browsers, and of each step over all labels."""

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass

from chatgenimage.db.run_progress import RunOverview
from chatgenimage.db.session import Sessions
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot
from chatgenimage.tasks.chain import QUEUES

MOST_WATCHED = 32
FRESH_S = 1.0
"""A newer snapshot is reused, so that many browsers cost no more than one."""


class WatchedRuns:
    """Keeps an observer for each run that is open in a browser, to measure its rates."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        self._observers: OrderedDict[int, RunMonitor] = OrderedDict()
        self._seen: dict[int, tuple[float, RunSnapshot]] = {}

    def look(self, run_id: int) -> RunSnapshot:
        """Return a snapshot of a run that is at most a second old."""
        with self._lock:
            seen_at, snapshot = self._seen.get(run_id, (0.0, None))
            if snapshot is None or time.monotonic() - seen_at > FRESH_S:
                snapshot = self._monitor(run_id).look()
                self._seen[run_id] = time.monotonic(), snapshot
            return snapshot

    def _monitor(self, run_id: int) -> RunMonitor:
        """Return the run's observer; drop the least recently used one if there are too many."""
        fresh = RunMonitor(self._sessions, run_id, by_label=False)
        monitor = self._observers.setdefault(run_id, fresh)
        self._observers.move_to_end(run_id)
        if len(self._observers) > MOST_WATCHED:
            self._seen.pop(self._observers.popitem(last=False)[0], None)
        return monitor


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Counts of one step over all labels."""

    name: str
    done: int
    running: int
    quarantined: int
    total: int


def sum_steps(now: RunOverview) -> list[StepProgress]:
    """Return the counts of each step, in the order of the chain."""
    sums: dict[str, Counter[str]] = {name: Counter() for name in QUEUES}
    for count in now.steps:
        sums[count.step] += Counter(
            done=count.done,
            running=count.running,
            quarantined=count.quarantined,
            total=count.waiting + count.running + count.done + count.quarantined,
        )
    return [
        StepProgress(name, n["done"], n["running"], n["quarantined"], n["total"])
        for name, n in sums.items()
        if n["total"]
    ]
