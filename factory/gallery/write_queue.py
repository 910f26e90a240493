"""Write queue: few requests write at once, so that pages still get answers."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from chatgenimage.db.session import Sessions, writing_soon

T = TypeVar("T")
AT_ONCE = 2
MOST_WAITING = 8
PATIENCE_S = 5.0
LOCKED = "the database is locked by another process; nothing was saved, try again in a moment."


class WriteQueue:
    """Runs transactions in threads, in turn.

    Args:
        sessions: Of the database.
        patience_s: Longest wait for the lock of another process.
    """

    def __init__(self, sessions: Sessions, patience_s: float = PATIENCE_S) -> None:
        self._sessions = sessions
        self._patience_s = patience_s
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._waiting = 0

    async def write(self, change: Callable[[Session], T]) -> T:
        """Run a change in one transaction and return its result.

        Raises:
            HTTPException: If the database stays locked, or too many changes wait for it.
        """
        if self._waiting >= MOST_WAITING:
            raise HTTPException(503, LOCKED)
        self._waiting += 1
        try:
            return await run_sync(partial(self._write, change), limiter=self._limiter)
        except OperationalError:
            raise HTTPException(503, LOCKED) from None
        finally:
            self._waiting -= 1

    def _write(self, change: Callable[[Session], T]) -> T:
        with writing_soon(self._sessions, self._patience_s) as session:
            return change(session)
