"""Flower for the factory's Celery app, behind a password.

It is read-only: a command that it sent to a worker would not be recorded in the database.
"""

import logging
import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress

from flower.app import Flower
from flower.options import options
from flower.urls import settings as page_settings
from flower.views.monitor import Metrics
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import authenticated

from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.errors import BrokerUnavailable, SettingsError
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.sockets import cannot_listen, is_loopback

OPEN_API = "FLOWER_UNAUTHENTICATED_API"
COLUMNS = "name,args,result,state,received,runtime,worker,uuid"
MOST_TASKS = 5000
FORGET_WORKERS_S = 600
REVIVE_BROKER_MS = 5000


class LockedMetrics(Metrics):  # type: ignore[misc]  # flower has no types
    """Flower's metrics behind the password; Flower itself serves them to everyone."""

    @authenticated
    async def get(self) -> None:
        """Return Flower's metrics."""
        await super().get()


def serve_flower(
    settings: Settings,
    host: str,
    port: int,
    tell: Callable[[str], None],
) -> None:
    """Serve Flower until Ctrl-C or SIGTERM; some of its threads may still wait for the broker.

    Args:
        settings: Settings with the broker and, optionally, the login.
        host: Address to listen on; other than loopback only with a login in the settings.
        port: TCP port; 0: any free port.
        tell: Prints a line for the user: the address, and a new password.

    Raises:
        SettingsError: If others could reach it with a password that changes at each start.
        CannotListen: If the port is in use.
        BrokerUnavailable: If the broker does not answer.
    """
    login = _login(settings, host)
    with open_broker(settings) as broker:
        app = make_celery(settings, broker.url)
        app.conf.include = ()  # names of tasks suffice; their code would load the models' libraries
        _set_options(host, port, login)
        page = Flower(capp=app, options=options, **page_settings)
        page.add_handlers(".*", [("/metrics", LockedMetrics)])
        try:
            port = page.start_http_server()
        except OSError as error:
            raise cannot_listen(host, port, error) from None
        tell(f"Flower: http://{host}:{port}/tasks  (stop it with Ctrl-C)")
        if settings.flower_basic_auth is None:
            user, _, password = login.partition(":")
            tell(
                f"user {user}, password {password}  (set FACTORY_FLOWER_BASIC_AUTH to choose them)"
            )
        _run(page, broker.revive)


def _login(settings: Settings, host: str) -> str:
    """Return user:password; a new one if the settings have none."""
    if os.environ.get(OPEN_API):
        raise SettingsError(
            f"{OPEN_API} would let anyone on the network run tasks. Unset it, then try again."
        )
    if settings.flower_basic_auth is not None:
        return settings.flower_basic_auth.get_secret_value()
    if not is_loopback(host):
        raise SettingsError(
            f"other machines can reach {host}, so you must choose the password: set "
            "FACTORY_FLOWER_BASIC_AUTH=user:password, or listen on 127.0.0.1."
        )
    return f"factory:{secrets.token_urlsafe(12)}"


def _set_options(host: str, port: int, login: str) -> None:
    options.address, options.port = host, port
    options.basic_auth = [login]
    options.read_only = True
    options.enable_events = False  # workers send them anyway, and refuse to be asked
    options.tasks_columns = COLUMNS
    options.max_tasks = MOST_TASKS
    options.purge_offline_workers = FORGET_WORKERS_S


def _run(page: Flower, revive_broker: Callable[[], None]) -> None:
    """Serve until a signal; restart an embedded broker whose owner has ended."""

    def revive() -> None:
        """Start the broker again if its owner has ended; it may take a while."""
        with suppress(BrokerUnavailable):  # Flower waits for the broker and logs it
            revive_broker()

    async def check_broker() -> None:
        """Run `revive` in a thread, so that pages are served meanwhile."""
        await IOLoop.current().run_in_executor(None, revive)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: page.io_loop.add_callback_from_signal(page.stop))
    logging.getLogger("flower.inspector").setLevel(logging.ERROR)  # no worker yet is not an error
    PeriodicCallback(check_broker, REVIVE_BROKER_MS).start()
    page.start()
    logging.getLogger(
        "flower.events"
    ).disabled = True  # its thread lives longer than the broker's socket
