"""What a database says when it refuses, and what a person can do about it."""

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from chatgenimage.db.errors import DatabaseAway, DatabaseUnavailable

CHECK = "Check that it runs and that the URL is right (database_url, FACTORY_DATABASE_URL)."
ROOM = "Make room on the disk, then try again: nothing is lost."
REMEDIES = {
    sqlite3.SQLITE_BUSY: "Somebody has written to it for a minute; try again.",
    sqlite3.SQLITE_READONLY: "It must be possible to write to the file and its folder, even to "
    "read: allow that, or copy both elsewhere.",
    sqlite3.SQLITE_CANTOPEN: "Check the path and its permissions: --data-dir, "
    "FACTORY_DATABASE_URL.",
    sqlite3.SQLITE_FULL: ROOM,
    sqlite3.SQLITE_IOERR: ROOM,
    sqlite3.SQLITE_NOTADB: "Name a file that the factory wrote, or one that is not there yet.",
    sqlite3.SQLITE_CORRUPT: "Bring back a copy of it (docs/deployment.md).",
}
"""What to do, by the primary code of an error of SQLite."""


def explain(error: DBAPIError) -> str:
    """Return what the database said, in one line, and what to do."""
    reason = " ".join(str(error.orig).split()).rstrip(".")
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return f"{reason}. {REMEDIES.get(code, CHECK)}"


def unavailable(url: str, error: DBAPIError) -> DatabaseUnavailable:
    """Return the error to raise; a file that is no database will not become one by waiting."""
    is_away = isinstance(error, OperationalError | InterfaceError)
    kind = DatabaseAway if is_away else DatabaseUnavailable
    return kind(f"the database at {url} does not answer: {explain(error)}")
