"""Waiting for workers, up to a limit."""

import time
from collections.abc import Callable

PATIENCE_S = 600
POLL_S = 0.1


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once the condition holds.

    Raises:
        TimeoutError: If it does not within `PATIENCE_S`.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the workers did not finish; see their logs in the folder")
        time.sleep(POLL_S)
