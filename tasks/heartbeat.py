"""A thread that extends a claim's lease while the models compute."""

import threading
import time
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import delivery
from db.delivery import Claim, LeaseLost
from db.session import Sessions

log = structlog.get_logger()


class Heartbeat:
    """Renews a lease until the block ends.

    A worker that could not renew for a whole lease counts as lost, whatever the database says
    later: somebody else may have started the same items. Its own clock tells, so it finds out
    even while the database does not answer at all.
    """

    def __init__(self, sessions: Sessions, claim: Claim, every_s: float) -> None:
        self._sessions = sessions
        self._claim = claim
        self._every_s = every_s
        self._renewed_at = claim.claimed_at
        self._refused = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def lost(self) -> bool:
        """Return whether the worker must not start anything more of the step."""
        return self._refused or time.monotonic() - self._renewed_at > self._claim.lease_s

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._every_s) and not self.lost:
            asked_at = time.monotonic()  # the lease counts from later than this
            try:
                with self._sessions.begin() as session:
                    delivery.fence(session, self._claim)
                self._renewed_at = asked_at
            except LeaseLost:
                self._refused = True
            except SQLAlchemyError as error:
                log.warning("heartbeat_missed", step_id=self._claim.step_id, error=str(error))
