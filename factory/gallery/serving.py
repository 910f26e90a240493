"""Serves the gallery: a port of its own, a token where others can reach it, a quiet end."""

import secrets
import socket
import webbrowser
from dataclasses import dataclass
from urllib.parse import urlencode

import uvicorn
from pydantic import SecretStr

from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.gallery.server import build_app
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.sockets import is_loopback, listen, url_of

MOST_CONNECTIONS = 128
LEAST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gallery is served, and what it asks for.

    Attributes:
        socket: Bound, not yet listened on.
        token: None on loopback, unless one was asked for.
    """

    socket: socket.socket
    host: str
    token: str | None

    @property
    def page(self) -> str:
        """Return what to open, without the token: fit for a log."""
        return f"{url_of(self.host, self.socket)}/runs"

    @property
    def url(self) -> str:
        """Return what to open, with the token."""
        return self.page + (f"?{urlencode({'token': self.token})}" if self.token else "")


def bind(host: str, port: int, token: SecretStr | None) -> Address:
    """Return the address that is asked for, with a fresh token if others can reach it.

    Args:
        host: Name or number of an address of this machine.
        port: 0 takes a free one.
        token: What is asked for; None: nothing on loopback.

    Raises:
        SettingsError: If the token is short.
        CannotListen: If the port is taken or the host is none of this machine.
    """
    known = token.get_secret_value() if token else None
    if known is not None and len(known) < LEAST_TOKEN:
        raise SettingsError(f"the token is too short: at least {LEAST_TOKEN} characters.")
    bound = listen(host, port)
    if known is None and not is_loopback(bound.getsockname()[0]):
        known = secrets.token_urlsafe(24)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a page waits for an ACK
    return Address(bound, host, known)


def make_server(store: Store, token: str | None) -> uvicorn.Server:
    """Return the server of a store's gallery, not yet running."""
    config = uvicorn.Config(
        build_app(store, token=token),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def serve(store: Store, address: Address, *, opens_browser: bool = False) -> None:
    """Serve a store until somebody presses Ctrl-C."""
    if opens_browser:
        webbrowser.open(address.url)  # answers once the server does: the port is bound
    try:
        make_server(store, address.token).run(sockets=[address.socket])
    except KeyboardInterrupt:
        return
    finally:
        address.socket.close()
