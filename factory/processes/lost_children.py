"""Lost children: a worker stores and logs which signal or exit code ended its child process."""

import threading
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery.signals import task_failure
from sqlalchemy.exc import SQLAlchemyError

from chatgenimage.db import delivery
from chatgenimage.db.session import Sessions
from chatgenimage.factory.processes.worker_identity import name_owner

log = structlog.get_logger()


def note_lost_children(sessions: Sessions, role: str) -> None:
    """Watch the children of this process, which serves a role."""
    children = f"{name_owner(role, is_child=False)}/"

    @task_failure.connect(weak=False)
    def _note(exception: BaseException, args: tuple[int], **_: Any) -> None:  # noqa: ANN401
        """Log the failure of a task whose process died, and store it in a thread."""
        if isinstance(exception, WorkerLostError):
            reason = _reason_of(exception)
            log.warning("child_lost", batch_id=args[0], reason=reason)
            # Celery's main loop must not wait for the database.
            threading.Thread(target=write, args=(args[0], reason), daemon=True).start()

    def write(batch_id: int, reason: str) -> None:
        """Store the reason with the batch; log it if the database is away."""
        try:
            with sessions.begin() as session:
                delivery.note_death(session, batch_id, children, reason)
        except SQLAlchemyError as error:
            log.warning("child_lost_unrecorded", batch_id=batch_id, error=str(error))


def _reason_of(error: BaseException) -> str:
    """Return billiard's message, e.g. "Worker exited prematurely: signal 9 (SIGKILL)"."""
    return str(error).partition(" Job:")[0].rstrip(".").replace("Worker exited", delivery.DIED, 1)
