"""Heartbeat: a thread that renews the leases of a process's claims while the models compute."""

import math
import threading
import time
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatgenimage.db import delivery
from chatgenimage.db.delivery import Claim, LeaseLost
from chatgenimage.db.session import Sessions

log = structlog.get_logger()

TICK_S = 0.25


class Heartbeat:
    """Renews a lease until the block ends.

    A worker that could not renew for a whole lease counts its step as lost, even if the database
    says otherwise later: another worker may have started the same items. It uses its own clock, so
    it notices this even while the database does not answer. After `longest_s` it renews no more: a
    pass that hangs while it is written holds its step no longer than one that hangs in a model.
    """

    def __init__(
        self, sessions: Sessions, claim: Claim, every_s: float, longest_s: float = math.inf
    ) -> None:
        self._sessions = sessions
        self._claim = claim
        self._every_s = every_s
        self._until = claim.claimed_at + longest_s
        self._asked_at = self._renewed_at = claim.claimed_at
        self._refused = False

    @property
    def lost(self) -> bool:
        """Return whether the worker must not start any more work of the step."""
        return self._refused or time.monotonic() - self._renewed_at > self._claim.lease_s

    def __enter__(self) -> Self:
        _pacemaker.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _pacemaker.discard(self)

    def beat(self) -> None:
        """Renew the lease if that is due and still possible."""
        now = time.monotonic()
        if self.lost or now > self._until or now - self._asked_at < self._every_s:
            return
        self._asked_at = time.monotonic()  # before the update, so that the lease is not overrated
        try:
            with self._sessions.begin() as session:
                delivery.fence(session, self._claim)
            self._renewed_at = self._asked_at
        except LeaseLost:
            self._refused = True
        except SQLAlchemyError as error:
            log.warning("heartbeat_missed", step_id=self._claim.step_id, error=str(error))


class HeartbeatThread:
    """One thread for all claims of the process; starting a thread per claim is too slow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heartbeats: set[Heartbeat] = set()
        self._thread: threading.Thread | None = None

    def add(self, heartbeat: Heartbeat) -> None:
        """Start to renew the lease of this heartbeat."""
        with self._lock:
            self._heartbeats.add(heartbeat)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()

    def discard(self, heartbeat: Heartbeat) -> None:
        """Stop renewing; a renewal in progress finds a finished step, which does no harm."""
        with self._lock:
            self._heartbeats.discard(heartbeat)

    def _run(self) -> None:
        while True:
            time.sleep(TICK_S)
            with self._lock:
                heartbeats = tuple(self._heartbeats)
            for heartbeat in heartbeats:
                heartbeat.beat()


_pacemaker = HeartbeatThread()
