"""How a part of a process that cannot go on ends the whole of it, so that its exit code tells."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from chatgenimage.factory.errors import WorkerBroken

TROUBLE = signal.SIGUSR2
"""Celery leaves it alone."""


def end_process(pid: int) -> None:
    """Ask a process that heeds trouble to stop politely and to end with an error."""
    os.kill(pid, TROUBLE)


@contextmanager
def heeding_trouble(name: str) -> Iterator[None]:
    """Stop as after SIGTERM when `end_process` asks for it; call it in the main thread.

    Raises:
        WorkerBroken: At the end, if that was asked for.
    """
    asked = []

    def stop(*_: object) -> None:
        asked.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(TROUBLE, stop)
    yield
    if asked:
        raise WorkerBroken(
            f"{name} cannot go on and gave back what it held; the last error above says why. "
            "Mend that, or let a supervisor start it again."
        )
