"""Ports for servers that open their port themselves, a moment after it was chosen."""

import secrets
import socket
from contextlib import suppress

PORTS = range(20_000, 32_000)
"""Below those that a system gives to connections and to servers that ask for any port."""


def free_port() -> int:
    """Return a port on loopback that is free, and that the system gives to no other process."""
    while True:
        port = secrets.choice(PORTS)  # with `random`, processes of pytest-xdist choose alike
        with socket.socket() as taken, suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port
