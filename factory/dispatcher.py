"""The dispatcher: keeps a window of batches in flight and rings for what nobody works on.

Any number may run at once; rows decide who rings, and a ring too many does no harm.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Self

import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy.exc import OperationalError

from db import dispatching
from db.failpoints import Failpoint, reach
from db.models import Batch, Step
from db.session import Sessions
from factory.errors import BrokerUnavailable
from tasks.chain import plan_chain, ring
from tasks.options import DeliveryOptions, RunOptions

log = structlog.get_logger()

TICK_S = 0.3


class Dispatcher:
    """Rings for batches; `ensure_broker` is called first, so that an embedded one is revived."""

    def __init__(
        self,
        app: Celery,
        sessions: Sessions,
        delivery: DeliveryOptions,
        ensure_broker: Callable[[], None] = lambda: None,
        models_key: str | None = None,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._delivery = delivery
        self._ensure_broker = ensure_broker
        self._models_key = models_key

    def tick(self) -> int:
        """Sweep, admit, commit, then ring; return how many batches were rung for.

        A ring that fails is not taken back: its row grows stale and is swept.
        """
        with self._sessions.begin() as session:
            swept = dispatching.sweep(session, stale_s=self._delivery.stale_s)
            dispatching.admit(
                session,
                window=self._delivery.window,
                plan_steps=plan_steps,
                models_key=self._models_key,
            )
            due = dispatching.take_due(session, self._models_key)
            for run_id in dispatching.close_runs(session):
                log.info("run_done", run_id=run_id)
        if swept:
            log.warning("batches_swept", count=swept)
        if due:
            reach(Failpoint.BEFORE_RING)
        for batch_id, names in due:
            ring(self._app, batch_id, names)
        return len(due)

    def run(self, stop: threading.Event) -> None:
        """Tick until stopped; a database or broker that went away is waited for."""
        while not stop.is_set():
            try:
                self._ensure_broker()
                self.tick()
            except (OperationalError, BrokerDown, BrokerUnavailable, ConnectionError) as error:
                log.warning("dispatcher_waits", error=str(error))
                time.sleep(TICK_S)
            except Exception:
                log.exception("dispatcher_broken")  # a worker without one would wait for ever
                os.kill(os.getpid(), signal.SIGTERM)
                return
            stop.wait(TICK_S)

    def start(self) -> "DispatcherThread":
        """Run in a thread until the returned handle is stopped."""
        return DispatcherThread(self)


class DispatcherThread:
    """A dispatcher that works beside something else; a context that stops it at the end."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=dispatcher.run, args=(self._stop,), name="dispatcher", daemon=True
        )

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for the tick in hand."""
        self._stop.set()
        self._thread.join()


def plan_steps(batch: Batch) -> list[Step]:
    """Return the rows of a batch's chain."""
    options = RunOptions.model_validate(batch.run.profile)
    return [
        Step(
            batch_id=batch.id, position=position, name=link.name, queue=link.queue, round=link.round
        )
        for position, link in enumerate(plan_chain(options.chain, batch.label.mode))
    ]
