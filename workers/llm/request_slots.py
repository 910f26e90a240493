"""Request slots: a limit on the requests that a server answers at the same time.

The limit is halved when the server is overloaded, and raised again one by one while it answers
(additive increase, multiplicative decrease).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

OVERLOADED = frozenset({408, 429, 503, 504, 529})
"""HTTP statuses by which a server says that it gets too many requests."""


class RequestSlots:
    """Slots for the requests of one process to one server; for any number of threads."""

    def __init__(self, most: int) -> None:
        """Begin with all slots.

        Args:
            most: Highest limit, at least 1.
        """
        self._most = self._limit = most
        self._used = self._waiting = self._answered = 0
        self._lowered_at = 0.0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Return how many requests may be sent at the same time now; at least 1."""
        return self._limit

    @property
    def brought(self) -> int:
        """Return how many requests are sent now or wait for a slot."""
        return self._used + self._waiting

    @property
    def room(self) -> int:
        """Return how many more requests a caller may bring now; 0 or less if it should wait.

        As many requests as there are slots may wait, so that a slot is not left empty while the
        caller that comes next is still busy; more would only wait for longer.
        """
        return min(self._limit, 2 * self._limit - self.brought)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a slot; wait for one if all are in use."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._used < self._limit)
            finally:
                self._waiting -= 1
            self._used += 1
        try:
            yield
        finally:
            with self._changed:
                self._used -= 1
                self._changed.notify_all()

    def raise_limit(self) -> None:
        """Count an answer; after as many as there are slots, one slot is added."""
        with self._changed:
            self._answered += 1
            if self._limit < self._most and self._answered >= self._limit:
                self._limit, self._answered = self._limit + 1, 0
                self._changed.notify_all()

    def lower_limit(self, asked_at: float) -> None:
        """Halve the limit, unless it was lowered after this request was sent.

        Args:
            asked_at: When the request was sent, by `time.monotonic`.
        """
        with self._changed:
            if asked_at < self._lowered_at:
                return
            self._lowered_at, self._answered = time.monotonic(), 0
            if self._limit == 1:
                return
            self._limit //= 2
        log.info("language_server_overloaded", max_concurrency=self._limit)
