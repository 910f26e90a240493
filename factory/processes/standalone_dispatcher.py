"""The dispatcher as a process of its own, without models: queues batches while no worker runs.

Every worker has a dispatcher in a thread, so a factory needs no other. This one is for
autoscalers, which start workers when a queue fills: without a worker, nothing else fills it.
"""

import signal
import threading

import structlog

from chatgenimage.factory.notifications.notifier import Notifier
from chatgenimage.factory.processes.liveness import pulse_file
from chatgenimage.factory.processes.startup import open_dispatcher, open_sessions
from chatgenimage.factory.settings.model import Settings

log = structlog.get_logger()

NAME = "dispatcher"
"""Its name where workers are named by their role."""


def run_dispatcher(settings: Settings) -> None:
    """Dispatch the runs of one profile's models until SIGTERM or Ctrl-C.

    Raises:
        WorkerBroken: If it ended by itself.
    """
    sessions = open_sessions(settings)
    pulse = pulse_file(settings, NAME)
    pulse.parent.mkdir(exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_dispatcher(settings, sessions, NAME) as (_, dispatcher):
        log.info("dispatcher_starting", profile=settings.profile)
        with Notifier(settings, sessions).start():
            dispatcher.run(stop, pulse.touch)
