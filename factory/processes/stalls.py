"""Stalls: a dispatcher logs what active runs wait for when they make no progress."""

import time

import structlog

from chatgenimage.db.run_completion import list_active
from chatgenimage.db.session import Sessions, reading
from chatgenimage.db.waits import find_turn_holder, list_waits

log = structlog.get_logger()

LEASES = 2
"""A run without progress, and a turn that others hold, are logged after this many leases."""


class StallLog:
    """Logs stalls, at most once in `LEASES` leases."""

    def __init__(self, sessions: Sessions, lease_s: float) -> None:
        self._sessions = sessions
        self._longer_s = LEASES * lease_s
        self._looked_at = self._had_turn_at = time.monotonic()

    def look(self, *, has_turn: bool) -> None:
        """Look for runs that wait, if it is time; `has_turn`: whether this dispatcher decides."""
        moment = time.monotonic()
        if has_turn:
            self._had_turn_at = moment
        if moment - self._looked_at < self._longer_s:
            return
        self._looked_at = moment
        with reading(self._sessions) as session:
            if moment - self._had_turn_at > self._longer_s:
                log.warning("dispatcher_has_no_turn", holder=find_turn_holder(session))
            for run_id in list_active(session):
                if waits := list_waits(session, run_id, self._longer_s):
                    log.warning("run_waits", run_id=run_id, waits=waits)
