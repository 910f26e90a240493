"""Heartbeats of a worker in the database, so that people see from anywhere which workers run."""

import threading
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from chatgenimage.db import heartbeats
from chatgenimage.db.session import Sessions
from chatgenimage.factory.background_thread import BackgroundThread

log = structlog.get_logger()

AWAY = (OperationalError, InterfaceError)


def note_loaded(sessions: Sessions, name: str) -> None:
    """Write that the models of a worker are loaded; without a database it is not known."""
    try:
        with sessions.begin() as session:
            heartbeats.note_ready(session, name)
    except AWAY as error:
        log.warning("heartbeat_failed", error=str(error))


class WorkerHeartbeats:
    """Writes the row of a worker every few seconds, and deletes it at the end."""

    def __init__(
        self, sessions: Sessions, name: str, queues: Sequence[str], models_key: str
    ) -> None:
        self._sessions = sessions
        self._name = name
        self._queues = tuple(queues)
        self._models_key = models_key

    def run(self, stop: threading.Event) -> None:
        """Beat until stopped; a database that is away is tried again at the next beat."""
        while not stop.wait(heartbeats.BEAT_S):
            self._beat()
        self._remove()

    def start(self) -> BackgroundThread:
        """Beat once, then in a thread while the returned context is open."""
        self._beat(is_ready=False)  # a row of an earlier process with this name is replaced
        return BackgroundThread(self.run, "heartbeats")

    def _beat(self, *, is_ready: bool | None = None) -> None:
        try:
            with self._sessions.begin() as session:
                heartbeats.beat(
                    session, self._name, self._queues, self._models_key, is_ready=is_ready
                )
        except AWAY as error:
            log.warning("heartbeat_failed", error=str(error))

    def _remove(self) -> None:
        try:
            with self._sessions.begin() as session:
                heartbeats.remove(session, self._name)
        except AWAY as error:
            log.warning("heartbeat_failed", error=str(error))
