"""Watches a run from any machine that reaches its database, until it ends."""

import json
import time

from db.session import Sessions
from db.states import RunState
from factory.moment import Moment, Observer, moment_record
from factory.progress import Progress


def watch(sessions: Sessions, run_id: int, interval_s: float) -> Moment:
    """Draw the run until it is over; return its last moment."""
    with Progress(sessions, run_id) as progress:
        while not (moment := progress.refresh()).is_over:
            time.sleep(interval_s)
    return moment


def watch_as_json(sessions: Sessions, run_id: int, interval_s: float) -> Moment:
    """Print a JSON object in a line of its own, each interval and once more at the end."""
    observer = Observer(sessions, run_id)
    while True:
        moment = observer.look()
        print(json.dumps(moment_record(moment), ensure_ascii=False), flush=True)  # noqa: T201
        if moment.is_over:
            return moment
        time.sleep(interval_s)


def exit_code(moment: Moment) -> int:
    """Return 0 for a run that is done and gave nothing up, else 1."""
    return int(moment.state != RunState.DONE or moment.quarantined > 0)
