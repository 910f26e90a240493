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
    """Renews a lease until the block ends; `lost` tells that the worker must stop.

    A worker that could not renew for a whole lease counts as lost, whatever the database says
    later: somebody else may have started the same items.
    """

    def __init__(self, sessions: Sessions, claim: Claim, every_s: float) -> None:
        self._sessions = sessions
        self._claim = claim
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.lost = False

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
        renewed_at = time.monotonic()
        while not self._ended.wait(self._every_s):
            try:
                with self._sessions.begin() as session:
                    delivery.fence(session, self._claim)
                renewed_at = time.monotonic()
            except LeaseLost:
                self.lost = True
                return
            except SQLAlchemyError as error:
                log.warning("heartbeat_missed", step_id=self._claim.step_id, error=str(error))
                if time.monotonic() - renewed_at > self._claim.lease_s:
                    self.lost = True
                    return
