"""Watches a run from any machine that reaches its database, until it ends."""

import time
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, OperationalError

from chatgenimage.db.error_messages import explain
from chatgenimage.db.run_problems import Problems
from chatgenimage.db.session import Sessions
from chatgenimage.factory.foreign_text import to_json
from chatgenimage.factory.problems import has_failed
from chatgenimage.factory.progress.display import open_display
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot, snapshot_record

LEAST_WAIT_S = 1.0
"""Between two tries to reach a database that is away."""


def watch(
    sessions: Sessions, run_id: int, interval_s: float, *, is_shown: bool = True
) -> RunSnapshot:
    """Draw the run until it is over, unless not shown; return its last snapshot."""
    with open_display(sessions, run_id, is_shown=is_shown) as progress:
        while not (
            snapshot := _patiently(progress.refresh, progress.show_outage, interval_s)
        ).is_over:
            time.sleep(interval_s)
    return snapshot


def watch_as_json(
    sessions: Sessions, run_id: int, interval_s: float, show_outage: Callable[[str], None]
) -> RunSnapshot:
    """Print a JSON object in a line of its own, each interval and once more at the end.

    Args:
        sessions: Of the database.
        run_id: Which run.
        interval_s: Between two objects.
        show_outage: Gets each new reason why the database does not answer.
    """
    monitor = RunMonitor(sessions, run_id)
    while True:
        snapshot = _patiently(monitor.look, show_outage, interval_s)
        print(to_json(snapshot_record(snapshot)), flush=True)  # noqa: T201
        if snapshot.is_over:
            return snapshot
        time.sleep(interval_s)


def exit_code(snapshot: RunSnapshot) -> int:
    """Return 0 for a run that is done without a failure, else 1; the same as `factory run` does."""
    return int(has_failed(snapshot.state, snapshot.problems or Problems()))


def _patiently(
    look: Callable[[], RunSnapshot], show_outage: Callable[[str], None], interval_s: float
) -> RunSnapshot:
    """Look as often as it takes until the database answers."""
    reported = ""
    while True:
        try:
            return look()
        except (OperationalError, InterfaceError) as error:
            if (reason := explain(error)) != reported:
                reported = reason
                show_outage(f"The database does not answer: {reason} Waiting for it; Ctrl-C ends.")
        time.sleep(max(interval_s, LEAST_WAIT_S))
