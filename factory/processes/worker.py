"""A worker: one process that serves the queues of its role, with a dispatcher in a thread.

The parent holds no models; it feeds one spawned child, which a crash takes down alone.
"""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import structlog
from celery import Celery
from celery.signals import heartbeat_sent, worker_shutting_down

from chatgenimage.db import delivery
from chatgenimage.db.session import Sessions
from chatgenimage.factory.app import (
    ROLE_KEY,
    assemble,
    needs_no_device,
    roles_named,
)
from chatgenimage.factory.notifications.notifier import Notifier
from chatgenimage.factory.processes.abort_signal import failing_with_celery
from chatgenimage.factory.processes.consumption import ConsumptionMonitor
from chatgenimage.factory.processes.heartbeats import WorkerHeartbeats, note_loaded
from chatgenimage.factory.processes.liveness import pulse_file
from chatgenimage.factory.processes.lost_children import note_lost_children
from chatgenimage.factory.processes.remote_control import refuse_commands
from chatgenimage.factory.processes.silent_broker import cut_connections_when_silent
from chatgenimage.factory.processes.startup import open_dispatcher, open_sessions
from chatgenimage.factory.processes.worker_identity import is_mine, name_owner
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import models_key
from chatgenimage.tasks import resources

log = structlog.get_logger()

LANGUAGE_THREADS = 8
ORPHAN_GRACE_S = 90


def run_worker(settings: Settings, role: str, *, until_stdin_closes: bool = False) -> None:
    """Serve a role until SIGTERM or Ctrl-C; the current pass is finished, the rest given back.

    Args:
        settings: Which models, database and broker.
        role: A role of the profile, or "all".
        until_stdin_closes: End with the process at the other end of stdin, however it ends.

    Raises:
        WorkerBroken: If it ended by itself: its models, its device or its dispatcher failed.
    """
    queues = roles_named(settings, role)
    if until_stdin_closes:
        threading.Thread(target=end_with_stdin, name="stdin", daemon=True).start()
    sessions = open_sessions(settings)
    _free_what_an_earlier_self_held(sessions)
    name = name_owner(role, is_child=False)
    beats = WorkerHeartbeats(sessions, name, queues, models_key(settings))
    with open_dispatcher(settings, sessions, f"worker {role!r}") as (app, dispatcher):
        app.conf.update({ROLE_KEY: role})
        _stop_politely(sessions)
        cut_connections_when_silent(settings)
        note_lost_children(sessions, role)
        monitor = ConsumptionMonitor(queues)
        _beat(pulse_file(settings, role), monitor)
        dispatcher.observe = monitor.observe
        # The process at the other end of stdin sends the notifications once this worker ended.
        notifier = nullcontext() if until_stdin_closes else Notifier(settings, sessions).start()
        with beats.start(), dispatcher.start(), notifier:
            _serve(app, role, queues, _choose_pool(settings, sessions, queues, role))


def _choose_pool(
    settings: Settings, sessions: Sessions, roles: list[str], role: str
) -> tuple[str, int]:
    """Return Celery's pool and its size, and load the models of a pool of threads.

    Models on this machine get one spawned child; roles that only wait for servers get threads.
    """
    if not needs_no_device(settings, roles):
        return "prefork", 1
    name = name_owner(role, is_child=False)
    resources.use(assemble(settings, roles, name))
    note_loaded(sessions, name)
    return "threads", LANGUAGE_THREADS


def _serve(app: Celery, role: str, queues: list[str], pool: tuple[str, int]) -> None:
    """Run Celery's worker; `app.worker_main` would first import all of Celery's command line."""
    log.info("worker_starting", role=role, queues=queues, pool=pool, pid=os.getpid())
    pool_cls, concurrency = pool
    refuse_commands()
    with failing_with_celery(f"worker {role!r}"):
        app.Worker(
            hostname=f"{role}-{os.getpid()}@{socket.gethostname()}",
            queues=queues,
            pool_cls=pool_cls,
            concurrency=concurrency,
            without_gossip=True,
            without_mingle=True,
            loglevel="INFO",
        ).start()


def end_with_stdin(grace_s: float = ORPHAN_GRACE_S) -> None:
    """Wait until stdin closes, stop politely, and after `grace_s` end the whole session.

    The process that started this worker may be gone by then; nothing else ends a pass that hangs.
    """
    while os.read(sys.stdin.fileno(), 1):  # a buffered read would hold a lock that exit needs
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)


def _stop_politely(sessions: Sessions) -> None:
    """Ask this worker's child to give its step back as soon as the worker gets SIGTERM."""

    @worker_shutting_down.connect(weak=False)
    def _ask(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
        """Start `give_back` in a thread."""
        # The signal comes inside a signal handler: waiting for a database there would block it all.
        threading.Thread(target=give_back, name="give_back", daemon=True).start()

    def give_back() -> None:
        """Ask every owner of a step in this worker to stop."""
        with sessions.begin() as session:
            for owner in filter(is_mine, delivery.list_owners(session)):
                delivery.request_stop(session, owner)


def _beat(path: Path, monitor: ConsumptionMonitor) -> None:
    """Touch the file at each heartbeat of Celery's main loop, as long as messages are consumed."""
    path.parent.mkdir(exist_ok=True)

    @heartbeat_sent.connect(weak=False)
    def _touch(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
        """Touch the file, unless messages wait that this worker does not take."""
        if not monitor.misses_messages:
            path.touch()


def _free_what_an_earlier_self_held(sessions: Sessions) -> None:
    """Release the steps of an earlier worker with the same identity.

    The dispatcher releases those of other dead workers.
    """
    with sessions.begin() as session:
        earlier = [owner for owner in delivery.list_owners(session) if is_mine(owner)]
        delivery.release_expired(session, earlier)
