"""Listening sockets for the pages that the factory serves."""

import errno
import ipaddress
import socket

from chatgenimage.factory.errors import CannotListen


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address of this machine.

    Args:
        host: Host name or IP address.
        port: 0 selects a free port.

    Raises:
        CannotListen: If the port is in use or the host is not this machine.
    """
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        raise cannot_listen(host, port, error) from None


def url_of(host: str, bound: socket.socket) -> str:
    """Return the URL of a bound socket."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{bound.getsockname()[1]}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cannot_listen(host: str, port: int, error: OSError) -> CannotListen:
    """Return the error for a port or address that is not available."""
    place = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return CannotListen(f"{place} is used by another program; choose another --port.")
    if error.errno == errno.EACCES:
        return CannotListen(f"{place} needs administrator rights; choose a --port above 1023.")
    reason = error.strerror or error
    return CannotListen(f"cannot listen on {place}: {reason}. Use --host 127.0.0.1 or 0.0.0.0.")
