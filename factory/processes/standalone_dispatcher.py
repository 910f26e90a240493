"""A dispatcher alone, without models: rings for batches while no worker runs.

Every worker has a dispatcher beside it, so a factory needs no other. This one is for whatever
starts workers when a queue fills: without a worker, nobody else would fill it.
"""

import signal
import threading

import structlog

from chatgenimage.factory import log as logs
from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import check_broker, open_broker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.notifications.notifier import Notifier
from chatgenimage.factory.processes.abort_signal import heeding_trouble
from chatgenimage.factory.processes.dispatcher import Dispatcher
from chatgenimage.factory.processes.liveness import pulse_file
from chatgenimage.factory.processes.worker import wait_for
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import dump_profile, models_key

log = structlog.get_logger()

NAME = "dispatcher"
"""What it is called where workers are called by their role."""


def run_dispatcher(settings: Settings) -> None:
    """Dispatch the runs of one profile's models until SIGTERM or Ctrl-C.

    Raises:
        WorkerBroken: If it ended by itself.
    """
    sessions = wait_for(lambda: open_database(settings, patience_s=settings.delivery.lease_s))
    wait_for(lambda: check_broker(settings))
    logs.configure(settings)
    pulse = pulse_file(settings, NAME)
    pulse.parent.mkdir(exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with heeding_trouble(NAME), open_broker(settings) as broker:
        app = make_celery(settings, broker.url)
        key = models_key(dump_profile(settings))
        log.info("dispatcher_starting", profile=settings.profile)
        dispatcher = Dispatcher(app, sessions, settings.delivery, broker.revive, key)
        with Notifier(settings, sessions).start():
            dispatcher.run(stop, pulse.touch)
