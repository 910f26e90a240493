"""Failpoints: named places in the code at which a test can make a process fail.

Nothing happens there unless a test armed the point by code in the same process: no setting and no
environment variable can make a worker fail.
"""

from collections.abc import Callable
from enum import StrEnum


class Failpoint(StrEnum):
    """Places where a process may fail, in the order in which a step passes them."""

    BEFORE_RING = "before_ring"
    """The dispatcher committed that it sends a message; the message was not sent."""
    AFTER_CLAIM = "after_claim"
    """The claim is committed; nothing was computed."""
    BEFORE_FILE = "before_file"
    """An image is computed; nothing is on disk."""
    AFTER_FILE = "after_file"
    """The image file is stored; it has no row yet."""
    BEFORE_COMMIT = "before_commit"
    """An item's result is written in a transaction that is still open."""
    AFTER_COMMIT = "after_commit"
    """The item is done; the step is not."""
    BEFORE_ACK = "before_ack"
    """The step is done; its message is not acknowledged, the next step's message is not sent."""


_strikes: list[Callable[[Failpoint], None]] = []


def arm(strike: Callable[[Failpoint], None]) -> None:
    """Call `strike` at every failpoint that this process reaches from now on."""
    _strikes.append(strike)


def reach(point: Failpoint) -> None:
    """Pass a failpoint; costs a look at an empty list when no test armed it."""
    for strike in _strikes:
        strike(point)
