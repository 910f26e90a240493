"""Named moments of the delivery at which a test can make a process fail.

Nothing happens at a point unless a test armed it, which takes code in the same process: no setting
and no environment variable can make a worker of the product fail.
"""

from collections.abc import Callable
from enum import StrEnum


class Failpoint(StrEnum):
    """Where a process may be struck, in the order in which a step passes them."""

    BEFORE_RING = "before_ring"
    """The dispatcher committed that it rings; no message was sent."""
    AFTER_CLAIM = "after_claim"
    """The claim is committed; nothing was computed."""
    BEFORE_FILE = "before_file"
    """An image is computed; nothing of it is on disk."""
    AFTER_FILE = "after_file"
    """The image is in its place; no row knows it."""
    BEFORE_COMMIT = "before_commit"
    """An item's result is written in a transaction that is still open."""
    AFTER_COMMIT = "after_commit"
    """The item is done; the step is not."""
    BEFORE_ACK = "before_ack"
    """The step is done; the broker was not told, nor the next step rung for."""


_strikes: list[Callable[[Failpoint], None]] = []


def arm(strike: Callable[[Failpoint], None]) -> None:
    """Call `strike` at every point that this process reaches from now on."""
    _strikes.append(strike)


def reach(point: Failpoint) -> None:
    """Pass a point; costs a look at an empty list when no test armed it."""
    for strike in _strikes:
        strike(point)
