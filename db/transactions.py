"""Short transactions that are repeated if PostgreSQL ends them to resolve a deadlock.

The order of locks in docs/architecture.md excludes deadlocks between workers, dispatchers and
commands on runs. Changes of many candidates in any order, and statements of other programs, can
still meet in one.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chatgenimage.db.error_messages import is_conflict
from chatgenimage.db.session import Sessions

log = structlog.get_logger()

T = TypeVar("T")

TRIES = 3
PAUSE_S = 0.2
"""Longest pause before the first repetition, in which the other transaction continues."""


def in_transaction(sessions: Sessions, change: Callable[[Session], T]) -> T:
    """Run a change in one transaction and return its result; repeat it after a deadlock.

    Args:
        sessions: To write with.
        change: Writes rows and nothing else: it may be called `TRIES` times, each time with a new
            session, after everything that the earlier call wrote was rolled back.

    Raises:
        OperationalError: If the last try meets a deadlock too, or the database does not answer.
    """
    for tries in range(1, TRIES):
        try:
            return _run_once(sessions, change)
        except OperationalError as error:
            if not is_conflict(error):
                raise
            log.info("transaction_repeated", error=str(error.orig))
        time.sleep(tries * PAUSE_S * random.uniform(0.5, 1.0))  # noqa: S311  # jitter, no secret
    return _run_once(sessions, change)


def _run_once(sessions: Sessions, change: Callable[[Session], T]) -> T:
    with sessions.begin() as session:
        return change(session)
