"""What happens inside a worker's processes: loading models in the child, stopping politely.

Celery imports this module in the parent and in every spawned child (it stands in `include`).
"""

import os
import signal
import threading
from typing import Any

import structlog
from celery import Celery, Task, current_app
from celery.signals import setup_logging, task_postrun, task_prerun, worker_process_init

from db import delivery
from db.session import Sessions
from factory import log as logs
from factory.app import OWNER_KEY, ROLE_KEY, SETTINGS_KEY, assemble, roles_named
from factory.settings import Settings
from tasks import resources

log = structlog.get_logger()


def settings_of(app: Celery) -> Settings:
    """Return the settings that the app was made of."""
    settings = app.conf[SETTINGS_KEY]
    assert isinstance(settings, Settings)  # noqa: S101  # make_celery() put it there
    return settings


@setup_logging.connect(weak=False)
def _configure_logging(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    logs.configure()


@worker_process_init.connect(weak=False)
def _load_models(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    """Give the child its models before its first task; without them the worker ends."""
    settings, role = settings_of(current_app), current_app.conf[ROLE_KEY]
    try:
        roles = roles_named(settings, role)
        resources.use(assemble(settings, roles, current_app.conf[OWNER_KEY]))
    except Exception as error:  # Celery would swallow it and go on without models
        log.exception("worker_has_no_models", role=role, error=str(error))
        os.kill(os.getppid(), signal.SIGTERM)
        raise
    log.info("worker_ready", role=role, pid=os.getpid())


@task_prerun.connect(weak=False)
def _bind_task(task_id: str, task: "Task[..., None]", args: tuple[int], **_: Any) -> None:  # noqa: ANN401
    structlog.contextvars.bind_contextvars(task_id=task_id, step=task.name, batch_id=args[0])


@task_postrun.connect(weak=False)
def _unbind_task(**_: Any) -> None:  # noqa: ANN401
    structlog.contextvars.clear_contextvars()


def ask_to_stop(sessions: Sessions, owner: str) -> None:
    """Ask the child to give its step back after the pass in hand; does not block the caller."""

    def ask() -> None:
        with sessions.begin() as session:
            delivery.request_stop(session, owner)

    threading.Thread(target=ask, name="ask_to_stop", daemon=True).start()
