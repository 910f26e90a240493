"""Serve the gallery: a port, a token unless it is on loopback, a clean stop."""

import secrets
import socket
import webbrowser
from dataclasses import dataclass
from urllib.parse import urlencode

import uvicorn
from pydantic import SecretStr

from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.gallery.connections import MOST_AT_ONCE, PatientProtocol
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.sockets import is_loopback, listen, url_of

LEAST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class GalleryAddress:
    """Address of the gallery, and its token.

    Attributes:
        socket: Bound socket.
        token: None: no token is required (loopback).
    """

    socket: socket.socket
    host: str
    token: str | None

    @property
    def page(self) -> str:
        """Return the URL without the token, safe for a log."""
        return f"{url_of(self.host, self.socket)}/runs"

    @property
    def url(self) -> str:
        """Return the URL with the token."""
        return self.page + (f"?{urlencode({'token': self.token})}" if self.token else "")


def bind(host: str, port: int, token: SecretStr | None) -> GalleryAddress:
    """Bind a socket; if others can reach it and no token is given, make a new token.

    Args:
        host: Host name or IP address of this machine.
        port: 0 selects a free port.
        token: Required token; None: none on loopback, else a new one.

    Raises:
        SettingsError: If the token is too short.
        CannotListen: If the port is in use or the host is not this machine.
    """
    known = token.get_secret_value() if token else None
    if known is not None and len(known) < LEAST_TOKEN:
        raise SettingsError(f"the token is too short: it needs at least {LEAST_TOKEN} characters.")
    bound = listen(host, port)
    if known is None and not is_loopback(bound.getsockname()[0]):
        known = secrets.token_urlsafe(24)
    bound.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )  # without it, a page waits for an ACK
    return GalleryAddress(bound, host, known)


def make_server(store: Store, token: str | None) -> uvicorn.Server:
    """Return the server of a store's gallery, not yet running."""
    config = uvicorn.Config(
        build_gallery(store, token=token),
        log_level="warning",
        access_log=False,
        server_header=False,
        http=PatientProtocol,
        limit_concurrency=MOST_AT_ONCE,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def serve(store: Store, address: GalleryAddress, *, opens_browser: bool = False) -> None:
    """Serve a store until Ctrl-C."""
    if opens_browser:
        webbrowser.open(address.url)  # the port is bound: the browser waits for the server
    try:
        make_server(store, address.token).run(sockets=[address.socket])
    except KeyboardInterrupt:
        return
    finally:
        address.socket.close()
