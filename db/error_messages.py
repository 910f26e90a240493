"""Error messages of databases, each with advice for the person who reads it."""

import re
import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from chatgenimage.db.errors import DatabaseAway, DatabaseUnavailable

CHECK = "Check that it runs and that the URL is right (database_url, FACTORY_DATABASE_URL)."
ROOM = "Free some disk space, then try again: no data is lost."
REMEDIES = {
    sqlite3.SQLITE_BUSY: "Another process has been writing to it for a minute; try again.",
    sqlite3.SQLITE_READONLY: "Even reading needs write permission for the file and its folder: "
    "grant it, or copy the file to another folder.",
    sqlite3.SQLITE_CANTOPEN: "Check the path and its permissions: --data-dir, "
    "FACTORY_DATABASE_URL.",
    sqlite3.SQLITE_FULL: ROOM,
    sqlite3.SQLITE_IOERR: ROOM,
    sqlite3.SQLITE_NOTADB: "Name a file that the factory wrote, or one that does not exist yet.",
    sqlite3.SQLITE_CORRUPT: "Restore it from a backup (docs/deployment.md).",
}
"""Advice by SQLite's primary error code."""
CONFLICTS = frozenset({"40P01", "40001"})
"""SQLSTATEs of a transaction that PostgreSQL ended in favour of another: a deadlock between the
two, or a serialization failure."""
RAISED = re.compile(r"((?:\w+\.)*[A-Z]\w*)(?:: (.*)|$)")
"""The line of a traceback that has the exception's name and message."""
OURS = "chatgenimage."


def reason_of(trace: str | None) -> str:
    """Return why something failed, in one line: the message that a traceback ends with.

    What libraries add below the message (a statement, a link) is left out.
    """
    lines = (trace or "").strip().splitlines()
    for line in reversed(lines):
        if found := RAISED.match(line):
            name, message = found.groups()
            if message and name.startswith(OURS):
                return message
            return ": ".join(filter(None, [name.rpartition(".")[2], message]))
    return lines[-1] if lines else ""


def explain(error: DBAPIError) -> str:
    """Return the message of the database in one line, followed by advice."""
    reason = " ".join(str(error.orig).split()).rstrip(".")
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return f"{reason}. {REMEDIES.get(code, CHECK)}"


def is_conflict(error: BaseException) -> bool:
    """Return whether PostgreSQL ended a transaction in favour of another; nothing of it is kept."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in CONFLICTS


def describe_error(error: DBAPIError, database: str = "the database") -> str:
    """Return in one line what happened, and what to do.

    Args:
        error: What the database or its driver raised.
        database: Its name in the message.
    """
    if is_conflict(error):
        return (
            f"{database} ended this transaction in favour of another one that changed the same "
            "rows at the same time: nothing was changed. Try again."
        )
    return f"{database} does not answer: {explain(error)}"


def unavailable(url: str, error: DBAPIError) -> DatabaseUnavailable:
    """Return the error to raise: `DatabaseAway` only if waiting may help."""
    is_away = isinstance(error, OperationalError | InterfaceError)
    kind = DatabaseAway if is_away else DatabaseUnavailable
    return kind(describe_error(error, f"the database at {url}"))
