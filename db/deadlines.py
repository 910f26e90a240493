"""Deadlines for PostgreSQL: time limits of the server, and of the client if the server is silent.

The server ends transactions whose client is frozen and statements that wait for its locks. A
connection that a proxy or firewall dropped silently never answers, so the client closes its own
end when a statement is overdue; the statement then fails like any lost connection.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

MARGIN_S = 5.0
"""The server's deadline is this much earlier than the client's, so that it comes first."""
CHECK_S = 0.5
ENDED_TRANSACTION = frozenset({"25P03", "25P04"})
"""SQLSTATEs of a transaction that the server ended: its client did nothing, or it took too long."""
MS = 1000


def tcp_arguments(patience_s: float) -> dict[str, int]:
    """Return libpq's arguments that end a connection if the server sends no acknowledgements."""
    idle_s = max(1, int(patience_s / 3))
    return {
        "keepalives": 1,
        "keepalives_idle": idle_s,
        "keepalives_interval": max(1, idle_s // 3),
        "keepalives_count": 3,
        "tcp_user_timeout": int(patience_s * MS),
    }


def limit_waiting(engine: Engine, patience_s: float) -> None:
    """Set deadlines on every connection of a PostgreSQL engine.

    Args:
        engine: Over psycopg; not connected yet.
        patience_s: Longest time for a statement, for a lock (half of it), and for a transaction
            whose client does nothing.
    """

    def set_timeouts(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        """Set the time limits of the server for a new connection."""
        cursor = connection.cursor()
        for name, seconds in (
            ("idle_in_transaction_session_timeout", patience_s),
            ("lock_timeout", patience_s / 2),
            ("statement_timeout", patience_s),
        ):
            cursor.execute(f"SET SESSION {name} = {int(seconds * MS)}")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", set_timeouts)
    event.listen(engine, "handle_error", _as_lost_connection, retval=True)
    Watchdog(patience_s + MARGIN_S).guard(engine)


def _as_lost_connection(context: ExceptionContext) -> OperationalError | None:
    """Report a transaction that the server ended like any lost connection.

    psycopg 3.3 raises it as an internal error, which is not waited for elsewhere.
    """
    error = context.original_exception
    if getattr(error, "sqlstate", None) not in ENDED_TRANSACTION:
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, context.parameters, error)


class Watchdog:
    """Cuts connections on which the server has not answered for too long."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._waiting: dict[Any, float] = {}
        self._lock = threading.Lock()
        self._is_running = False

    def guard(self, engine: Engine) -> None:
        """Watch every statement, commit, rollback and ping of an engine."""
        dialect: Any = engine.dialect
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            setattr(dialect, name, self._watching(getattr(dialect, name), of_cursor=True))
        for name in ("do_commit", "do_rollback", "do_ping"):
            setattr(dialect, name, self._watching(getattr(dialect, name), of_cursor=False))

    def _watching(self, call: Callable[..., Any], *, of_cursor: bool) -> Callable[..., Any]:
        """Return the call with a deadline for the connection that it uses."""

        def watched(subject: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # any of these
            """Call it; the connection is closed if that takes longer than the deadline."""
            connection = subject.connection if of_cursor else subject
            with self._lock:
                self._waiting[connection] = time.monotonic() + self._patience_s
                self._run_in_background()
            try:
                return call(subject, *args, **options)
            finally:
                with self._lock:
                    self._waiting.pop(connection, None)

        return watched

    def _run_in_background(self) -> None:
        if not self._is_running:
            self._is_running = True
            threading.Thread(target=self._run, name="database deadline", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_S)
            with self._lock:
                now = time.monotonic()
                overdue = [each for each, deadline in self._waiting.items() if deadline < now]
                for connection in overdue:
                    del self._waiting[connection]
                    _cut(connection)


def _cut(connection: Any) -> None:  # noqa: ANN401  # of psycopg
    """Shut the socket down, so that the thread that waits on it sees a closed connection."""
    with (
        contextlib.suppress(OSError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as own,
    ):
        own.shutdown(socket.SHUT_RDWR)
