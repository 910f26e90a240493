"""Steps that compute nothing, with the complete delivery, and a bare task to compare with."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import current_app, shared_task
from celery.signals import setup_logging, worker_process_init
from sqlalchemy.orm import Session

from chatgenimage.db.models import Step
from chatgenimage.db.session import connect
from chatgenimage.factory import log as logs
from chatgenimage.factory.app import SETTINGS_KEY
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.processes.worker_identity import name_owner
from chatgenimage.factory.settings.model import Settings
from chatgenimage.tasks import resources
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_step
from chatgenimage.tasks.step_definition import StepWork

BARE = "bare"
TIMES_FILE = "bare.json"

_ran_at: list[float] = []


@setup_logging.connect(weak=False)
def log_as_every_worker(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    """Send the lines of Celery and of the steps through the factory's log formatter."""
    logs.configure()


@worker_process_init.connect(weak=False)
def assemble(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
    """Give the child all resources except models."""
    settings = settings_of_worker()
    logs.configure(settings)
    resources.use(
        Resources(
            sessions=connect(
                settings.resolved_database_url(),
                durable=False,
                patience_s=settings.delivery.lease_s,
            ),
            images=open_images(settings),
            families=(),
            delivery=settings.delivery,
            owner=name_owner("bench", is_child=True),
        )
    )


def settings_of_worker() -> Settings:
    """Return the settings of the worker's app."""
    settings = current_app.conf[SETTINGS_KEY]
    assert isinstance(settings, Settings)  # noqa: S101  # make_celery() put it there
    return settings


def plan(_session: Session, step: Step) -> Sequence[int]:
    """Return as many subjects as the batch has images."""
    return range(step.batch.size)


def read(_session: Session, _step: Step, subject_id: int) -> int:
    """Return the subject."""
    return subject_id


def compute(_resources: Resources, subjects: Sequence[int]) -> Sequence[int]:
    """Return the subjects."""
    return subjects


def write(_session: Session, _step: Step, _subject: int, _result: int) -> None:
    """Write no rows."""


def add_step(name: str) -> None:
    """Register an empty step under the name of a real one."""
    work = StepWork(name, plan, read, compute, write)

    @shared_task(name=name)
    def step(batch_id: int) -> None:
        """Run the empty step of a batch."""
        run_step(work, batch_id)


for step_name in QUEUES:
    add_step(step_name)


@shared_task(name=BARE)
def bare(total: int) -> None:
    """Do nothing; the last of `total` tasks writes the times of the first and the last."""
    _ran_at.append(time.monotonic())
    if len(_ran_at) == total:
        path = Path(settings_of_worker().data_dir) / TIMES_FILE
        path.write_text(json.dumps([_ran_at[0], _ran_at[-1]]), encoding="utf-8")
        _ran_at.clear()
