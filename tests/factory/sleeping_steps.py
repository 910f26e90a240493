"""Steps that only sleep, under the whole bookkeeping."""

import time

from celery import current_app, shared_task
from celery.signals import worker_process_init

from db.session import connect
from factory.app import SETTINGS_KEY
from factory.images import open_images
from factory.owners import name_owner
from tasks import resources
from tasks.chain import QUEUES
from tasks.resources import Resources
from tasks.step import StepWork, run_step
from tests.factory.sleeping import SLEEP_FILE


@worker_process_init.connect(weak=False)
def assemble(**_):
    settings = current_app.conf[SETTINGS_KEY]
    resources.use(
        Resources(
            sessions=connect(settings.resolved_database_url()),
            images=open_images(settings),
            families=(),
            delivery=settings.delivery,
            owner=name_owner("sleeping", is_child=True),
        )
    )


def compute(_resources, subjects):
    time.sleep(float((current_app.conf[SETTINGS_KEY].data_dir / SLEEP_FILE).read_text()))
    return subjects


def add_step(name):
    work = StepWork(
        name,
        plan=lambda _session, step: range(step.batch.size),
        read=lambda _session, _step, subject_id: subject_id,
        compute=compute,
        write=lambda _session, _step, _subject, _result: None,
        pass_size=1,
    )

    @shared_task(name=name)
    def step(batch_id):
        run_step(work, batch_id)


for step_name in QUEUES:
    add_step(step_name)
