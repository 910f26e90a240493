"""How a part of a worker that cannot go on ends the whole of it, so that its exit code tells."""

import os
import signal
import threading

TROUBLE = signal.SIGUSR2
"""Celery leaves it alone."""


def end_worker(pid: int) -> None:
    """Ask the worker with this process id to stop politely and to end with an error."""
    os.kill(pid, TROUBLE)


def heed_trouble() -> threading.Event:
    """Stop politely, as after SIGTERM, when asked by `end_worker`; the event tells that it was.

    Call it in the main thread.
    """
    happened = threading.Event()

    def stop(*_: object) -> None:
        happened.set()
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(TROUBLE, stop)
    return happened
