"""Worker hooks: load models in the child process and add task ids to the log.

Celery imports this module in the parent and in every spawned child (it is listed in `include`).
"""

import gc
import os
from dataclasses import replace
from typing import Any

import structlog
from celery import Celery, Task, current_app
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)

from chatgenimage.factory import log as logs
from chatgenimage.factory.app import ROLE_KEY, SETTINGS_KEY, assemble, roles_named
from chatgenimage.factory.checkpoints.memory import warn_if_short
from chatgenimage.factory.processes.abort_signal import end_process
from chatgenimage.factory.processes.heartbeats import note_loaded
from chatgenimage.factory.processes.worker_identity import name_owner, parent_of
from chatgenimage.factory.settings.model import Settings
from chatgenimage.tasks import resources
from chatgenimage.tasks.pass_threads import PassThreads
from chatgenimage.workers.device import lost_because

log = structlog.get_logger()


def settings_of(app: Celery) -> Settings:
    """Return the settings from which the app was made."""
    settings = app.conf[SETTINGS_KEY]
    assert isinstance(settings, Settings)  # noqa: S101  # make_celery() put it there
    return settings


@setup_logging.connect(weak=False)
def _configure_logging(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    logs.configure(current_app.conf.get(SETTINGS_KEY))  # a spawned child has no app yet


@worker_process_init.connect(weak=False)
def _load_models(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    """Load the child's models before its first task; if that fails, the worker ends.

    The garbage collector is off meanwhile: a fifth of the time of these imports is its own, and it
    finds nothing. What was loaded stays, so later collections leave it out.
    """
    gc.disable()
    settings, role = settings_of(current_app), current_app.conf[ROLE_KEY]
    logs.configure(settings)
    try:
        roles = roles_named(settings, role)
        warn_if_short(settings, roles)
        name = name_owner(role, is_child=True)
        assembled = assemble(settings, roles, name)
        resources.use(replace(assembled, threads=PassThreads()))
    except Exception as error:  # Celery would ignore it and continue without models
        log.exception("worker_has_no_models", role=role, error=str(error))
        end_process(os.getppid())
        raise
    gc.freeze()
    gc.enable()
    note_loaded(assembled.sessions, parent_of(name))
    log.info("worker_ready", role=role, pid=os.getpid())


@worker_process_shutdown.connect(weak=False)
def _write_what_is_left(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    """Let the last pass be written before the child ends; its message is acknowledged already."""
    if threads := resources.current().threads:
        threads.close()


@task_prerun.connect(weak=False)
def _bind_task(task_id: str, task: "Task[..., None]", args: tuple[int], **_: Any) -> None:  # noqa: ANN401
    structlog.contextvars.bind_contextvars(task_id=task_id, step=task.name, batch_id=args[0])


@task_postrun.connect(weak=False)
def _unbind_task(**_: Any) -> None:  # noqa: ANN401
    structlog.contextvars.clear_contextvars()
    if reason := lost_because():
        log.error("device_lost", reason=reason)
        end_process(os.getppid())
