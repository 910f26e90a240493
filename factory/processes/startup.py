"""Start-up of a process that dispatches: database, broker, log, Celery app and dispatcher."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from celery import Celery

from chatgenimage.db.errors import DatabaseAway
from chatgenimage.db.session import Sessions
from chatgenimage.factory import log as logs
from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import check_broker, open_broker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.processes.abort_signal import failing_on_abort
from chatgenimage.factory.processes.dispatcher import Dispatcher
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import models_key

RETRY_S = 2.0

T = TypeVar("T")


def open_sessions(settings: Settings) -> Sessions:
    """Return the database as soon as it and the broker answer; from then on log lines are written.

    Until then, it is printed on stderr what the process waits for.
    """
    sessions = wait_for(lambda: open_database(settings, patience_s=settings.delivery.lease_s))
    wait_for(lambda: check_broker(settings))
    logs.configure(settings)
    return sessions


@contextmanager
def open_dispatcher(
    settings: Settings, sessions: Sessions, name: str
) -> Iterator[tuple[Celery, Dispatcher]]:
    """Yield the Celery app of these settings and a dispatcher for their models, not yet started.

    Args:
        settings: Which models and broker.
        sessions: Of their database.
        name: Of the process, for its error message.

    Raises:
        WorkerBroken: If a part of the process failed and ended it.
    """
    with failing_on_abort(name), open_broker(settings) as broker:
        app = make_celery(settings, broker.url)
        key = models_key(settings)
        yield app, Dispatcher(app, sessions, settings.delivery, broker.revive, key)


def wait_for(opening: Callable[[], T], retry_s: float = RETRY_S) -> T:
    """Return what `opening` returns, as soon as the database or broker that it needs answers."""
    printed = ""
    while True:
        try:
            return opening()
        except (DatabaseAway, BrokerUnavailable) as error:
            if str(error) != printed:
                printed = str(error)
                sys.stderr.write(f"{printed} Waiting for it; Ctrl-C ends.\n")
        time.sleep(retry_s)
