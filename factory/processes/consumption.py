"""Consumption: whether a worker takes messages from its queues, and a new connection if not.

When the broker refuses a connection just as a message is acknowledged, Celery logs "Couldn't ack",
keeps the message, and with a prefetch of one takes no other: the process looks alive and does
nothing. Such a worker connects again; if that does not help, it ends with an error.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from celery.signals import worker_ready
from celery.worker import state

from chatgenimage.factory.processes.abort_signal import end_process

log = structlog.get_logger()

MISSING_S = 30.0
"""Messages wait this long, and an idle worker takes none: it does not receive them."""
LONGEST_GAP_S = 2.0
"""Longest time that one observation counts for: nothing is known of the time before."""
RECONNECTS = 2


class ConsumptionMonitor:
    """Compares what waits in a worker's queues with what the worker takes."""

    def __init__(self, queues: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Watch the worker of this process.

        Args:
            queues: Those it serves.
            clock: In seconds; never set back.
        """
        self._queues = tuple(queues)
        self._clock = clock
        self._consumer: Any = None
        self._received = 0
        self._observed_at = clock()
        self._missing_s = 0.0
        self._reconnects = 0
        worker_ready.connect(self._remember)

    @property
    def misses_messages(self) -> bool:
        """Whether messages wait that this idle worker does not take."""
        return self._missing_s > MISSING_S

    def observe(self, waiting: Mapping[str, int]) -> None:
        """Take note of how many messages wait in each queue; connect again if nobody takes them."""
        now = self._clock()
        passed_s, self._observed_at = min(now - self._observed_at, LONGEST_GAP_S), now
        received = sum(state.total_count.values())
        is_busy = bool(state.reserved_requests or state.active_requests)
        has_taken, self._received = received != self._received, received
        if is_busy or has_taken or not any(waiting.get(name) for name in self._queues):
            self._missing_s = 0.0
            self._reconnects = 0 if has_taken else self._reconnects
            return
        self._missing_s += passed_s
        if self._consumer and self._missing_s > MISSING_S * (self._reconnects + 1):
            self._reconnect(waiting)

    def _remember(self, sender: Any, **_: Any) -> None:  # noqa: ANN401  # Celery's signature
        self._consumer = sender

    def _reconnect(self, waiting: Mapping[str, int]) -> None:
        if self._reconnects >= RECONNECTS:
            log.error("worker_misses_messages", waiting=dict(waiting), reconnects=self._reconnects)
            end_process(os.getpid())
            return
        self._reconnects += 1
        log.warning("worker_reconnects", waiting=dict(waiting), idle_s=round(self._missing_s))
        self._consumer.hub.call_soon(_lose_connection)


def _lose_connection() -> None:
    """Raise in Celery's main loop what it answers with a new connection."""
    raise ConnectionError("the broker has messages for this worker, which receives none")
