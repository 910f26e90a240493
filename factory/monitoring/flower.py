"""Flower on our app: what the workers do, in a browser, behind a password.

It only looks: whatever it could send to a worker, the rows would not know of.
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
COLUMNS = "name,args,state,received,runtime,worker,uuid"
MOST_TASKS = 5000
FORGET_WORKERS_S = 600
REVIVE_BROKER_MS = 5000


class LockedMetrics(Metrics):  # type: ignore[misc]  # flower has no types
    """Flower serves its own numbers to everyone; here the password counts for them too."""

    @authenticated
    async def get(self) -> None:
        """Answer as Flower does."""
        await super().get()


def serve_flower(
    settings: Settings,
    host: str,
    port: int,
    tell: Callable[[str], None],
) -> None:
    """Serve Flower until Ctrl-C or SIGTERM; threads of it may be left that wait for the broker.

    Args:
        settings: Which broker, and the login if it is to stay the same.
        host: Address to listen on; wider than this machine only with a login of the settings.
        port: TCP port; 0 takes a free one.
        tell: Gets what the person needs: the address, and a password that was made now.

    Raises:
        SettingsError: If it would be open to others.
        CannotListen: If the port is taken.
        BrokerUnavailable: If the broker does not answer.
    """
    login = _login(settings, host)
    with open_broker(settings) as broker:
        app = make_celery(settings, broker.url)
        app.conf.include = ()  # it looks at tasks by name; their code would load models' libraries
        _set_options(host, port, login)
        page = Flower(capp=app, options=options, **page_settings)
        page.add_handlers(".*", [("/metrics", LockedMetrics)])
        try:
            port = page.start_http_server()
        except OSError as error:
            raise cannot_listen(host, port, error) from None
        tell(f"Flower: http://{host}:{port}/tasks  (Ctrl-C ends it)")
        if settings.flower_basic_auth is None:
            user, _, password = login.partition(":")
            tell(
                f"user {user}, password {password}  (FACTORY_FLOWER_BASIC_AUTH sets a lasting one)"
            )
        _run(page, broker.revive)


def _login(settings: Settings, host: str) -> str:
    """Return user:password, made now if the settings name none."""
    if os.environ.get(OPEN_API):
        raise SettingsError(
            f"{OPEN_API} would let anyone on the network run tasks. Unset it, then try again."
        )
    if settings.flower_basic_auth is not None:
        return settings.flower_basic_auth.get_secret_value()
    if not is_loopback(host):
        raise SettingsError(
            f"others can reach {host}, so the password must be one that you chose: set "
            "FACTORY_FLOWER_BASIC_AUTH=user:password, or listen on 127.0.0.1."
        )
    return f"factory:{secrets.token_urlsafe(12)}"


def _set_options(host: str, port: int, login: str) -> None:
    options.address, options.port = host, port
    options.basic_auth = [login]
    options.read_only = True
    options.tasks_columns = COLUMNS
    options.max_tasks = MOST_TASKS
    options.purge_offline_workers = FORGET_WORKERS_S


def _run(page: Flower, revive_broker: Callable[[], None]) -> None:
    """Serve until told to end; an embedded broker whose owner went away is started again."""

    def revive() -> None:
        with suppress(BrokerUnavailable):  # Flower waits for it and says so
            revive_broker()

    async def look_after_the_broker() -> None:
        await IOLoop.current().run_in_executor(None, revive)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: page.io_loop.add_callback_from_signal(page.stop))
    logging.getLogger("flower.inspector").setLevel(logging.ERROR)  # no worker yet is no trouble
    PeriodicCallback(look_after_the_broker, REVIVE_BROKER_MS).start()
    page.start()
    logging.getLogger("flower.events").disabled = True  # its thread outlives the broker's socket
