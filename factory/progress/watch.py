"""Watches a run from any machine that reaches its database, until it ends."""

import json
import time
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, OperationalError

from chatgenimage.db.error_messages import explain
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import RunState
from chatgenimage.factory.progress.live_view import Progress
from chatgenimage.factory.progress.snapshot import Moment, Observer, moment_record

LEAST_WAIT_S = 1.0
"""Between two tries to reach a database that is away."""


def watch(sessions: Sessions, run_id: int, interval_s: float) -> Moment:
    """Draw the run until it is over; return its last moment."""
    with Progress(sessions, run_id) as progress:
        while not (moment := _patiently(progress.refresh, progress.tell_away, interval_s)).is_over:
            time.sleep(interval_s)
    return moment


def watch_as_json(
    sessions: Sessions, run_id: int, interval_s: float, tell_away: Callable[[str], None]
) -> Moment:
    """Print a JSON object in a line of its own, each interval and once more at the end.

    Args:
        sessions: Of the database.
        run_id: Which run.
        interval_s: Between two objects.
        tell_away: Gets each new reason why the database does not answer.
    """
    observer = Observer(sessions, run_id)
    while True:
        moment = _patiently(observer.look, tell_away, interval_s)
        print(json.dumps(moment_record(moment), ensure_ascii=False), flush=True)  # noqa: T201
        if moment.is_over:
            return moment
        time.sleep(interval_s)


def exit_code(moment: Moment) -> int:
    """Return 0 for a run that is done and gave nothing up, else 1."""
    return int(moment.state != RunState.DONE or moment.quarantined > 0)


def _patiently(
    look: Callable[[], Moment], tell_away: Callable[[str], None], interval_s: float
) -> Moment:
    """Look as often as it takes until the database answers."""
    told = ""
    while True:
        try:
            return look()
        except (OperationalError, InterfaceError) as error:
            if (reason := explain(error)) != told:
                told = reason
                tell_away(f"The database does not answer: {reason} Waiting for it; Ctrl-C ends.")
        time.sleep(max(interval_s, LEAST_WAIT_S))
