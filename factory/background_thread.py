"""Background thread: a context manager that runs a loop."""

import threading
from collections.abc import Callable
from typing import Self

import structlog

log = structlog.get_logger()

STOP_S = 10.0


class BackgroundThread:
    """Runs a loop in a thread inside a `with` block, and stops it at the end.

    A loop that still waits for a server after `STOP_S` seconds is abandoned: the process must obey
    SIGTERM, and its daemon threads end with it.
    """

    def __init__(self, loop: Callable[[threading.Event], None], name: str) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=loop, args=(self._stop,), name=name, daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait at most `STOP_S` for the work in progress."""
        self._stop.set()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.warning("thread_did_not_stop", thread=self._thread.name, waited_s=STOP_S)
