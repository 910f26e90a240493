"""A loop that works in a thread beside something else."""

import threading
from collections.abc import Callable
from typing import Self


class BackgroundThread:
    """A context that runs a loop in a thread, and stops it at the end."""

    def __init__(self, loop: Callable[[threading.Event], None], name: str) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=loop, args=(self._stop,), name=name, daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for what is in hand."""
        self._stop.set()
        self._thread.join()
