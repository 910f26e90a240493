"""Dispatcher: keeps each queue's window full and sends messages for batches without a worker.

Any number may run at once: they take turns, rows decide, and an extra message does no harm.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from chatgenimage.db import delivery, dispatching
from chatgenimage.db.failpoints import Failpoint, reach
from chatgenimage.db.models import Batch
from chatgenimage.db.run_completion import list_finished
from chatgenimage.db.session import Sessions
from chatgenimage.factory.background_thread import BackgroundThread
from chatgenimage.factory.broker.broker import count_waiting
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.processes.abort_signal import end_process
from chatgenimage.factory.processes.finalize_run import finish_run, top_up
from chatgenimage.factory.processes.stalls import StallLog
from chatgenimage.factory.processes.worker_identity import is_dead
from chatgenimage.tasks.chain import QUEUE_NAMES, plan_chain, ring
from chatgenimage.tasks.options import DeliveryOptions, run_options

log = structlog.get_logger()

TICK_S = 0.3
BUSY_TICK_S = 0.15
RETRY_S = 1.0
TOP_UP_S = 2.0
AWAY = (OperationalError, InterfaceError, BrokerDown, BrokerUnavailable, ConnectionError)
"""Errors that the database or the broker raises while it is unavailable."""


class Dispatcher:
    """Sends messages for batches; calls `revive_broker` first, which restarts an embedded one."""

    def __init__(
        self,
        app: Celery,
        sessions: Sessions,
        delivery: DeliveryOptions,
        revive_broker: Callable[[], None] = lambda: None,
        models_key: str | None = None,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._delivery = delivery
        self._revive_broker = revive_broker
        self._models_key = models_key
        self.observe: Callable[[Mapping[str, int]], None] = lambda _waiting: None
        self._topped_up_at = -TOP_UP_S
        self._stalls = StallLog(sessions, delivery.lease_s)

    def tick(self) -> int:
        """Sweep, admit, commit, then send messages; return how many were sent.

        If sending fails, nothing is undone: a later sweep finds that the message is missing.
        """
        waiting = count_waiting(self._app, QUEUE_NAMES)
        self.observe(waiting)
        finished: list[int] = []
        with self._sessions.begin() as session:
            due = []
            if has_turn := dispatching.take_turn(session):
                due = self._decide(session, waiting)
                finished = list_finished(session)
        if due:
            reach(Failpoint.BEFORE_RING)
        for batch_id, names, descriptions in due:
            ring(self._app, batch_id, names, descriptions)
        self._stalls.look(has_turn=has_turn)
        for run_id in finished:
            finish_run(self._sessions, run_id)
        self._top_up()
        return len(due)

    def _top_up(self) -> None:
        """Add batches for quotas, but not at every tick: counting candidates is slow."""
        if time.monotonic() >= self._topped_up_at + TOP_UP_S:
            top_up(self._sessions)
            self._topped_up_at = time.monotonic()

    def _decide(self, session: Session, waiting: Mapping[str, int]) -> list[dispatching.DueBatch]:
        """Sweep, put batches in flight, and return those that a message is due for."""
        window = self._delivery.window
        dead = [owner for owner in delivery.list_owners(session) if is_dead(owner)]
        swept = dispatching.sweep(
            session, stale_s=self._delivery.stale_s, waiting=waiting, dead_owners=dead
        )
        if swept:
            log.warning("batches_swept", count=swept, dead_workers=dead)
        dispatching.admit(
            session,
            window=window,
            queues=QUEUE_NAMES,
            plan_steps=plan_steps,
            models_key=self._models_key,
        )
        return dispatching.take_due(session, window=window, models_key=self._models_key)

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Tick until stopped; wait while the database or the broker is unavailable.

        `beat` is called after each tick that succeeds.
        """
        while not stop.is_set():
            sent = 0
            try:
                self._revive_broker()
                sent = self.tick()
                beat()
            except AWAY as error:
                log.warning("dispatcher_waits", error=str(error))
                stop.wait(RETRY_S)
            except Exception:
                log.exception("dispatcher_broken")  # the worker would wait for ever
                end_process(os.getpid())
                return
            stop.wait(BUSY_TICK_S if sent else TICK_S)

    def start(self) -> BackgroundThread:
        """Run in a thread while the returned context is open."""
        return BackgroundThread(self.run, "dispatcher")


def plan_steps(batch: Batch) -> list[dict[str, Any]]:
    """Return the columns of each step of a batch's chain."""
    options = run_options(batch.run)
    return [
        {
            "batch_id": batch.id,
            "position": position,
            "name": link.name,
            "queue": link.queue,
            "round": link.round,
        }
        for position, link in enumerate(plan_chain(options.chain, batch.label.mode))
    ]
