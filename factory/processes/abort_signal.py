"""Abort signal: a failed part of a process stops all of it, with an error exit code."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import worker_shutdown, worker_shutting_down

from chatgenimage.factory.errors import WorkerBroken

TROUBLE = signal.SIGUSR2
"""Celery does not use it."""


def end_process(pid: int) -> None:
    """Ask a process inside `failing_on_abort` to stop as after SIGTERM, and exit with an error."""
    os.kill(pid, TROUBLE)


@contextmanager
def failing_on_abort(name: str) -> Iterator[None]:
    """Stop as after SIGTERM when `end_process` is called; only for the main thread.

    Raises:
        WorkerBroken: At the end, if `end_process` was called.
    """
    asked = []

    def stop(*_: object) -> None:
        """Remember the call, and stop as after SIGTERM."""
        asked.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(TROUBLE, stop)
    yield
    if asked:
        raise WorkerBroken(
            f"{name} stopped after an error and returned its work; the last error above says why. "
            "Fix it and start again, or let a supervisor restart it."
        )


@contextmanager
def failing_with_celery(name: str) -> Iterator[None]:
    """Run a Celery worker whose fatal errors are raised: its `start` returns as if all was well.

    Raises:
        WorkerBroken: If it ended with an error, and not because a signal asked for it.
    """
    signals: list[str] = []
    exit_codes: list[int] = []

    def note_signal(sig: str, **_: Any) -> None:  # noqa: ANN401  # Celery's signature
        """Remember that a signal asked the worker to stop."""
        signals.append(sig)

    def note_exit(sender: Any, **_: Any) -> None:  # noqa: ANN401  # Celery's signature
        """Remember the worker's exit code; 0 if it has none."""
        exit_codes.append(sender.exitcode or 0)

    worker_shutting_down.connect(note_signal)
    worker_shutdown.connect(note_exit)
    try:
        yield
    finally:
        worker_shutting_down.disconnect(note_signal)
        worker_shutdown.disconnect(note_exit)
    if any(exit_codes) and not signals:
        raise WorkerBroken(
            f"{name} met an error of the broker that it cannot recover from; the error above says "
            "which. Correct the broker (`factory doctor`), then start the worker again."
        )
