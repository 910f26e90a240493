"""Serves the gallery: a port of its own, a token where others can reach it, a quiet end."""

import errno
import secrets
import socket
import webbrowser
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlencode

import uvicorn
from pydantic import SecretStr

from factory.errors import CannotServe
from factory.gallery.server import build_app
from factory.store import Store

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
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.socket.getsockname()[1]}/runs"

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
        CannotServe: If the port is taken, the host is none of this machine or the token short.
    """
    known = token.get_secret_value() if token else None
    if known is not None and len(known) < LEAST_TOKEN:
        raise CannotServe(f"the token is too short: at least {LEAST_TOKEN} characters.")
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.create_server(place[:2], family=family)
    except OSError as error:
        raise CannotServe(_explain(error, host, port)) from error
    if known is None and not is_loopback(str(place[0])):
        known = secrets.token_urlsafe(24)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a page waits for an ACK
    return Address(bound, host, known)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    return ip_address(host).is_loopback


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


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken, perhaps by another gallery: choose another with --port."
    if error.errno == errno.EACCES:
        return f"port {port} is for administrators: choose one above 1023 with --port."
    return f"cannot listen on {host}: {error.strerror or error}. Use --host 127.0.0.1 or 0.0.0.0."
