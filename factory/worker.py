"""A worker: one process that serves its role's queues, with a dispatcher beside it.

The parent holds no models; it feeds one spawned child, which a crash takes down alone.
"""

import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery import Celery
from celery.signals import task_failure, worker_shutting_down

from db import delivery
from db.session import Sessions
from factory import log as logs
from factory.app import (
    OWNER_KEY,
    ROLE_KEY,
    assemble,
    fetch_checkpoints,
    make_celery,
    only_speaks,
    roles_named,
)
from factory.broker import check_broker, open_broker
from factory.database import open_database
from factory.dispatcher import Dispatcher
from factory.settings import Settings, dump_profile, models_key
from factory.worker_process import ask_to_stop
from tasks import resources

log = structlog.get_logger()

LANGUAGE_THREADS = 8
ORPHAN_GRACE_S = 90


def run_worker(settings: Settings, role: str, *, until_stdin_closes: bool = False) -> None:
    """Serve a role until SIGTERM or Ctrl-C; the pass in hand is finished, the rest given back.

    Args:
        settings: Which models, database and broker.
        role: A role of the profile, or "all".
        until_stdin_closes: End with the process at the other end of stdin, however it ends.
    """
    queues = roles_named(settings, role)
    fetch_checkpoints(settings, queues)
    if until_stdin_closes:
        threading.Thread(target=end_with_stdin, name="stdin", daemon=True).start()
    sessions = open_database(settings)
    check_broker(settings)
    logs.configure()  # from here on lines for a log; before, one line for a person
    owner = f"{role}@{socket.gethostname()}#{os.getpid()}"
    with open_broker(settings) as broker:
        app = make_celery(settings, broker.url)
        app.conf.update({ROLE_KEY: role, OWNER_KEY: owner})
        _connect_signals(sessions, owner)
        _free_what_the_dead_hold(sessions)
        key = models_key(dump_profile(settings))
        with Dispatcher(app, sessions, settings.delivery, broker.ensure, key).start():
            _serve(app, role, queues, _choose_pool(settings, queues, owner))


def _choose_pool(settings: Settings, roles: list[str], owner: str) -> list[str]:
    """Return one spawned child for models; threads for roles that only wait for an endpoint."""
    if not only_speaks(settings, roles):
        return ["--pool=prefork", "--concurrency=1"]
    resources.use(assemble(settings, roles, owner))
    return ["--pool=threads", f"--concurrency={LANGUAGE_THREADS}"]


def _serve(app: Celery, role: str, queues: list[str], pool: list[str]) -> None:
    log.info("worker_starting", role=role, queues=queues, pool=pool, pid=os.getpid())
    app.worker_main(
        [
            "worker",
            *pool,
            f"--queues={','.join(queues)}",
            f"--hostname={role}-{os.getpid()}@%h",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=INFO",
        ]
    )


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


def _connect_signals(sessions: Sessions, owner: str) -> None:
    @worker_shutting_down.connect(weak=False)
    def _stop_politely(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
        ask_to_stop(sessions, owner)

    @task_failure.connect(weak=False)
    def _free_at_once(exception: BaseException, **_: Any) -> None:  # noqa: ANN401
        """Give back what a child held that died; waiting for its lease would cost minutes."""
        if isinstance(exception, WorkerLostError):
            with sessions.begin() as session:
                delivery.release_expired(session, [owner])


def _free_what_the_dead_hold(sessions: Sessions) -> None:
    """Give back what workers of this machine held that are no longer alive."""
    with sessions.begin() as session:
        dead = [owner for owner in delivery.list_owners(session) if _is_dead_here(owner)]
        if dead:
            log.info("dead_workers_released", owners=dead)
            delivery.release_expired(session, dead)


def _is_dead_here(owner: str) -> bool:
    name, _, pid = owner.rpartition("#")
    if not name.endswith(f"@{socket.gethostname()}") or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
