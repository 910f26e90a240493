"""What the pages that the factory serves have in common: who may reach them."""

import errno
import ipaddress

from factory.errors import CannotListen


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cannot_listen(host: str, port: int, error: OSError) -> CannotListen:
    """Return what to tell a person whose port or address cannot be had."""
    place = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return CannotListen(f"{place} is taken by another program; choose another --port.")
    return CannotListen(f"cannot listen on {place}: {error.strerror or error}.")
