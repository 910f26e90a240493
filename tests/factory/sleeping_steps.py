"""Steps that only sleep, with all bookkeeping; importing this module loads no models."""

import os
import signal
import time

from celery import current_app, shared_task

from chatgenimage.db.session import connect
from chatgenimage.factory.app import SETTINGS_KEY
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.processes import worker_hooks
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers.device import inference
from tests.factory.sleeping import (
    HANG,
    KILL,
    KILLER,
    LOSE_DEVICE,
    PASS_SIZE,
    SLEEP_FILE,
    TAKE_LONG,
    WAIT,
)


def assemble(settings, _roles, owner):
    return Resources(
        sessions=connect(settings.resolved_database_url()),
        images=open_images(settings),
        families=(),
        delivery=settings.delivery,
        owner=owner,
    )


worker_hooks.assemble = assemble  # type: ignore[attr-defined]  # what it imported


def compute(step, subjects):
    while (asked := read_what_is_asked()) == WAIT:
        time.sleep(0.05)
    if asked in {KILL, TAKE_LONG}:
        if step == "generate" and KILLER in subjects:
            fail_at_once_or_late(asked)
        return subjects
    if asked == LOSE_DEVICE:
        lose_device()
    if asked == HANG:
        hang()
    time.sleep(float(asked))
    return subjects


def read_what_is_asked():
    return (current_app.conf[SETTINGS_KEY].data_dir / SLEEP_FILE).read_text()


def fail_at_once_or_late(asked):
    if asked == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(3600)


def hang():
    """Hang like a call into a driver: a soft time limit has no effect."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    time.sleep(3600)


@inference
def lose_device():
    import torch  # takes seconds, and only this needs it

    raise torch.AcceleratorError("CUDA error: unspecified launch failure")


def add_step(name):
    work = StepWork(
        name,
        plan=lambda _session, step: range(step.batch.size),
        read=lambda _session, _step, subject_id: subject_id,
        compute=lambda _resources, subjects: compute(name, subjects),
        write=lambda _session, _step, _subject, _result: None,
        pass_size=int(os.environ.get(PASS_SIZE, "1")),
        overlaps=True,
    )

    @shared_task(name=name)
    def step(batch_id):
        return run_task(work, batch_id)


for step_name in QUEUES:
    add_step(step_name)
