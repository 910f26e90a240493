"""Clock of the database, by which all leases, delays and messages are timed.

On PostgreSQL it is the clock of the server. A SQLite database is used by the processes of one
machine, whose wall clocks may differ or be set back, so there it is the machine's time since boot,
which only runs forward, plus a row of the database that says what time it was then. The first
process of each boot writes this row. docs/adr/0014 has the rules.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Float, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NO_BOOT = "unknown"
UP_S = "factory_up_s"
"""SQL function: seconds since the machine booted."""
WALL = "((julianday('now') - 2440587.5) * 86400.0)"
"""Wall clock in epoch seconds on SQLite; 2440587.5 is the Julian day of the epoch."""
START = f"""
    INSERT INTO clock (boot, booted_at)
    SELECT :boot, max({WALL}, coalesce((SELECT max(rung_at) FROM batch), 0),
                      coalesce((SELECT max(started_at) FROM step), 0)) - {UP_S}()
    WHERE NOT EXISTS (SELECT 1 FROM clock WHERE boot = :boot)
"""  # noqa: S608  # contains no user input


class Clock(FunctionElement[float]):
    """The database's clock in epoch seconds, for statements: all leases use this one clock."""

    type = Float()
    inherit_cache = True


@compiles(Clock, "sqlite")
def _clock_since_boot(_element: Clock, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    started = f"(SELECT clock.booted_at FROM clock WHERE clock.boot = '{boot_id()}')"  # noqa: S608
    return f"coalesce({UP_S}() + {started}, {WALL})"


@compiles(Clock, "postgresql")
def _clock_of_server(_element: Clock, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    return "date_part('epoch', clock_timestamp())"


def now(session: Session) -> float:
    """Return the database's clock in epoch seconds."""
    return float(session.scalars(select(Clock())).one())


def add_clock(connection: DBAPIConnection) -> None:
    """Register the function that `Clock` calls on a SQLite connection."""
    sqlite: Any = connection
    sqlite.create_function(UP_S, 0, up_s)


def start_clock(connection: Connection) -> None:
    """Write when this boot began, unless another process did; does nothing on PostgreSQL.

    If the wall clock is behind what an earlier boot wrote, the clock continues from there.
    """
    if connection.dialect.name != "sqlite" or boot_id() == NO_BOOT:
        return
    connection.execute(text(START), {"boot": boot_id()})


def measure_difference_s(session: Session) -> float:
    """Return by how many seconds the database's clock is ahead of this process's wall clock."""
    before = time.time()
    found = now(session)
    return found - (before + time.time()) / 2


def up_s() -> float:
    """Return the seconds since boot, time asleep included; the same for every process."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@cache
def boot_id() -> str:
    """Return the id of this boot in hexadecimal; `NO_BOOT` where the system has none.

    There, the wall clock is used.
    """
    try:
        return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return NO_BOOT
