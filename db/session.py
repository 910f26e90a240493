"""Database connections: SQLite in WAL mode by default, PostgreSQL by URL."""

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
)
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from chatgenimage.db.addresses import show_address
from chatgenimage.db.clock import add_clock, start_clock
from chatgenimage.db.deadlines import limit_waiting, tcp_arguments
from chatgenimage.db.error_messages import unavailable
from chatgenimage.db.errors import DatabaseUnavailable
from chatgenimage.db.private_files import PRIVATE_FILE

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 60
RETRY_S = 0.02
READS_ONLY = "reads_only"
USED_AT = "used_at"
ISOLATION = "READ COMMITTED"
"""Of PostgreSQL's writing transactions, whatever its default: a statement that waited for a row
sees what the other transaction did. With any other level it would fail (SQLSTATE 40001)."""
IDLE_S = 1.0
"""Connections idle for longer than this are tested before use."""
UPGRADE = 0x75706772616465
"""Id of the lock for schema upgrades among PostgreSQL's advisory locks."""

Sessions = sessionmaker[Session]


def connect(url: str, *, durable: bool = True, patience_s: float | None = None) -> Sessions:
    """Return a session factory; no connection is opened yet.

    Args:
        url: URL of a SQLite or PostgreSQL database.
        durable: Whether a commit is on disk when it returns. If False, a power cut may undo the
            last seconds (never half of a transaction); commits of killed processes stay.
        patience_s: Maximum duration of a statement, and of an idle transaction, on PostgreSQL;
            after it, server and client end it (`db.deadlines`). None is no limit.

    Raises:
        DatabaseUnavailable: If the URL is invalid or its driver is not installed.
    """
    try:
        arguments = _connect_args(url, durable=durable, patience_s=patience_s)
        isolation = {} if url.startswith("sqlite") else {"isolation_level": ISOLATION}
        engine = create_engine(url, connect_args=arguments, **isolation)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        reason = "its port is not a number" if isinstance(error, ValueError) else error
        raise DatabaseUnavailable(
            f"cannot use the database URL {show_address(url)}: {reason}. Use "
            "sqlite:////absolute/path or postgresql+psycopg://user@host/name (pip install "
            "'.[postgres]')."
        ) from None
    if engine.dialect.name == "sqlite":
        _refuse_memory(engine)
        event.listen(engine, "connect", _prepare_durable if durable else _prepare_quick)
        event.listen(engine, "begin", _begin)
    else:
        event.listen(engine, "checkin", _note_the_time)
        event.listen(engine, "checkout", partial(_ask_after_a_rest, engine.dialect))
        if patience_s is not None:
            limit_waiting(engine, patience_s)
    return sessionmaker(engine, expire_on_commit=False)


def upgrade(url: str) -> None:
    """Upgrade the schema to the newest migration, creating it if there is none.

    Several processes may do it at the same time: they wait for each other.

    Raises:
        DatabaseUnavailable: If the database does not answer or has a newer version.
    """
    from alembic import command  # here because only writers need it, and its import is slow
    from alembic.config import Config
    from alembic.util import CommandError

    sessions = connect(url)
    try:
        _make_private_file(engine_of(sessions))
        with engine_of(sessions).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(UPGRADE)))
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            start_clock(connection)
    except DBAPIError as error:
        raise unavailable(show_address(url), error) from error
    except CommandError as error:
        raise DatabaseUnavailable(
            f"the database at {show_address(url)} has another version: {error}. "
            "Use the version that wrote it, or another database."
        ) from error
    finally:
        engine_of(sessions).dispose()


@contextmanager
def reading(sessions: Sessions) -> Iterator[Session]:
    """Yield a session with a consistent snapshot; it neither waits for writers nor blocks them."""
    with sessions(bind=_read_only(engine_of(sessions))) as session:
        yield session


@contextmanager
def writing_soon(sessions: Sessions, patience_s: float) -> Iterator[Session]:
    """Yield a session of one transaction that waits for other writers only for a short time.

    Args:
        sessions: To write with.
        patience_s: Maximum time to wait for a lock, seconds; after it, OperationalError is raised.
    """
    milliseconds = round(1000 * patience_s)
    with engine_of(sessions).connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            _set_busy_timeout(connection, milliseconds)
        try:
            with sessions(bind=connection) as session, session.begin():
                if not is_sqlite:
                    session.execute(text(f"SET LOCAL lock_timeout = {milliseconds}"))
                yield session
        finally:
            if is_sqlite:
                _set_busy_timeout(connection, 1000 * BUSY_TIMEOUT_S)


def find_revision(sessions: Sessions) -> str | None:
    """Return the migration of the schema, None if the database has no tables of the factory.

    Raises:
        DatabaseUnavailable: If it does not answer.
    """
    try:
        with _read_only(engine_of(sessions)).connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return None if revision is None else str(revision)
    except DBAPIError as error:
        raise unavailable(show_engine(sessions), error) from error


def newest_revision() -> str:
    """Return the newest migration."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py"))


def engine_of(sessions: Sessions) -> Engine:
    """Return the engine of a session factory."""
    engine = sessions.kw["bind"]
    assert isinstance(engine, Engine)  # noqa: S101  # connect() made it
    return engine


def show_engine(sessions: Sessions) -> str:
    """Return the database's URL, fit for output."""
    return show_address(engine_of(sessions).url.render_as_string(hide_password=False))


def _read_only(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{READS_ONLY: True})
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _make_private_file(engine: Engine) -> None:
    """Create a SQLite file that only its owner reads; SQLite gives its own files the same mode."""
    if engine.dialect.name == "sqlite" and "uri" not in engine.url.query:
        with suppress(OSError):  # it exists, or SQLite says better why it cannot
            Path(engine.url.database or "").touch(mode=PRIVATE_FILE, exist_ok=False)


def _refuse_memory(engine: Engine) -> None:
    if engine.url.database in {None, "", ":memory:"}:
        raise DatabaseUnavailable(
            "cannot use the database URL: an in-memory database is lost with each process. "
            "Use sqlite:////absolute/path."
        )


def _connect_args(
    url: str, *, durable: bool, patience_s: float | None = None
) -> dict[str, int | str]:
    if url.startswith("sqlite"):
        return {"timeout": BUSY_TIMEOUT_S}
    # Without an encoding, psycopg returns the texts of a SQL_ASCII database as bytes.
    arguments: dict[str, int | str] = {"connect_timeout": 10, "client_encoding": "utf8"}
    if patience_s is not None:
        arguments |= tcp_arguments(patience_s)
    return arguments if durable else arguments | {"options": "-c synchronous_commit=off"}


def _prepare_durable(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _prepare_sqlite(connection, "FULL")


def _prepare_quick(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _prepare_sqlite(connection, "NORMAL")


def _prepare_sqlite(connection: DBAPIConnection, synchronous: str) -> None:
    connection.isolation_level = None  # BEGIN is sent below
    add_clock(connection)
    cursor = connection.cursor()
    _write_ahead(cursor)
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    """Switch to WAL mode; SQLite does not wait by itself if another process is switching too."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
        else:
            return


def _set_busy_timeout(connection: Connection, milliseconds: int) -> None:
    """Set how long SQLite waits for a lock; not through SQLAlchemy, which would take the lock."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={milliseconds}")
    cursor.close()


def _note_the_time(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[USED_AT] = time.monotonic()


def _ask_after_a_rest(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _: object
) -> None:
    """Test a connection that was idle for long and replace it if it is dead."""
    if time.monotonic() - record.info.get(USED_AT, math.inf) < IDLE_S:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once with SQLITE_BUSY
    # if another process wrote in between; taking the lock at BEGIN waits instead.
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
