"""A worker: one process that serves its role's queues, with a dispatcher beside it.

The parent holds no models; it feeds one spawned child, which a crash takes down alone.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import structlog
from celery import Celery
from celery.signals import heartbeat_sent, worker_shutting_down

from chatgenimage.db import delivery
from chatgenimage.db.errors import DatabaseAway
from chatgenimage.db.session import Sessions
from chatgenimage.factory import log as logs
from chatgenimage.factory.app import (
    ROLE_KEY,
    assemble,
    fetch_checkpoints,
    make_celery,
    only_speaks,
    roles_named,
)
from chatgenimage.factory.broker.broker import check_broker, open_broker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.notifications.notifier import Notifier
from chatgenimage.factory.processes.abort_signal import failing_with_celery, heeding_trouble
from chatgenimage.factory.processes.consumption import ConsumptionMonitor
from chatgenimage.factory.processes.dispatcher import Dispatcher
from chatgenimage.factory.processes.liveness import pulse_file
from chatgenimage.factory.processes.worker_identity import is_mine, name_owner
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import dump_profile, models_key
from chatgenimage.tasks import resources

log = structlog.get_logger()

T = TypeVar("T")

LANGUAGE_THREADS = 8
ORPHAN_GRACE_S = 90
RETRY_S = 2.0


def run_worker(settings: Settings, role: str, *, until_stdin_closes: bool = False) -> None:
    """Serve a role until SIGTERM or Ctrl-C; the pass in hand is finished, the rest given back.

    Args:
        settings: Which models, database and broker.
        role: A role of the profile, or "all".
        until_stdin_closes: End with the process at the other end of stdin, however it ends.

    Raises:
        WorkerBroken: If it ended by itself: its models, its device or its dispatcher failed.
    """
    queues = roles_named(settings, role)
    fetch_checkpoints(settings, queues)
    if until_stdin_closes:
        threading.Thread(target=end_with_stdin, name="stdin", daemon=True).start()
    sessions = wait_for(lambda: open_database(settings, patience_s=settings.delivery.lease_s))
    wait_for(lambda: check_broker(settings))
    logs.configure(settings)  # from here on lines for a log; before, one line for a person
    _free_what_an_earlier_self_held(sessions)
    with heeding_trouble(f"worker {role!r}"), open_broker(settings) as broker:
        app = make_celery(settings, broker.url)
        app.conf.update({ROLE_KEY: role})
        _stop_politely(sessions)
        monitor = ConsumptionMonitor(queues)
        _beat(pulse_file(settings, role), monitor)
        key = models_key(dump_profile(settings))
        dispatcher = Dispatcher(app, sessions, settings.delivery, broker.revive, key)
        dispatcher.observe = monitor.observe
        # Whoever waits at the other end of stdin tells by itself, once this worker has ended.
        notifier = nullcontext() if until_stdin_closes else Notifier(settings, sessions).start()
        with dispatcher.start(), notifier:
            _serve(app, role, queues, _choose_pool(settings, queues, role))


def wait_for(opening: Callable[[], T], retry_s: float = RETRY_S) -> T:
    """Return what `opening` returns, once the database or broker that it needs answers."""
    told = ""
    while True:
        try:
            return opening()
        except (DatabaseAway, BrokerUnavailable) as error:
            if str(error) != told:
                told = str(error)
                sys.stderr.write(f"{told} Waiting for it; Ctrl-C ends.\n")
        time.sleep(retry_s)


def _choose_pool(settings: Settings, roles: list[str], role: str) -> list[str]:
    """Return one spawned child for models; threads for roles that only wait for an endpoint."""
    if not only_speaks(settings, roles):
        return ["--pool=prefork", "--concurrency=1"]
    resources.use(assemble(settings, roles, name_owner(role, is_child=False)))
    return ["--pool=threads", f"--concurrency={LANGUAGE_THREADS}"]


def _serve(app: Celery, role: str, queues: list[str], pool: list[str]) -> None:
    log.info("worker_starting", role=role, queues=queues, pool=pool, pid=os.getpid())
    arguments = [
        "worker",
        *pool,
        f"--queues={','.join(queues)}",
        f"--hostname={role}-{os.getpid()}@%h",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
    ]
    with failing_with_celery(f"worker {role!r}"):
        app.worker_main(arguments)


def end_with_stdin(grace_s: float = ORPHAN_GRACE_S) -> None:
    """Wait until stdin closes, stop politely, and after `grace_s` end the whole session.

    Whoever started this worker may be gone by then, so nobody else would end a pass that hangs.
    """
    while os.read(sys.stdin.fileno(), 1):  # a buffered read would hold a lock that exit needs
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)


def _stop_politely(sessions: Sessions) -> None:
    """Ask this worker's child for the rest of its step as soon as the worker is told to end."""

    @worker_shutting_down.connect(weak=False)
    def _ask(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
        # The signal comes inside a signal handler: waiting for a database there would block it all.
        threading.Thread(target=give_back, name="give_back", daemon=True).start()

    def give_back() -> None:
        with sessions.begin() as session:
            for owner in filter(is_mine, delivery.list_owners(session)):
                delivery.request_stop(session, owner)


def _beat(path: Path, monitor: ConsumptionMonitor) -> None:
    """Touch the file at each heartbeat of Celery's main loop, as long as messages are consumed."""
    path.parent.mkdir(exist_ok=True)

    @heartbeat_sent.connect(weak=False)
    def _touch(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
        if not monitor.is_deaf:
            path.touch()


def _free_what_an_earlier_self_held(sessions: Sessions) -> None:
    """Give back what a worker held that had our number; the dispatcher sees to other dead ones."""
    with sessions.begin() as session:
        earlier = [owner for owner in delivery.list_owners(session) if is_mine(owner)]
        delivery.release_expired(session, earlier)
