"""A deadlock of two transactions on a real PostgreSQL, of which the server ends one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from chatgenimage.db.error_messages import describe_error, is_conflict
from chatgenimage.db.models import Run
from chatgenimage.db.session import connect, engine_of, reading
from chatgenimage.db.transactions import in_transaction
from tests import rows
from tests.blocked import BLOCKED

PATIENCE_S = 120
GATE = "pg_advisory_xact_lock(1)"


@pytest.fixture
def place(postgres_place):
    """A migrated PostgreSQL database: SQLite has one writer at a time."""
    return postgres_place


@pytest.fixture
def run_ids(place):
    """Two runs."""
    with place.sessions.begin() as session:
        return [rows.add_run(session).id for _ in range(2)]


def hold(session, run_id):
    session.execute(select(Run).where(Run.id == run_id).with_for_update())


def wait_until_blocked(place, count):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with place.sessions() as session:
            if session.scalar(BLOCKED) >= count:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def meet(place, run_ids, write):
    """Call `write` with a change that the server ends once: it meets another in a deadlock.

    The server ends the transaction that has waited for `deadlock_timeout` when the circle is
    closed: the other one has no such limit, and waits before the circle is closed.
    """
    first, second = run_ids
    calls, has_ended = [], threading.Event()

    def change(session):
        calls.append(session)
        if len(calls) > 1:
            assert has_ended.wait(PATIENCE_S)  # or the two could meet again
        hold(session, first)
        session.execute(text(f"SELECT {GATE}"))
        hold(session, second)
        session.get_one(Run, first).priority += 1
        return "written"

    def other():
        with place.sessions.begin() as session:
            session.execute(text("SET LOCAL deadlock_timeout = '1h'"))
            hold(session, second)
            hold(session, first)
        has_ended.set()

    with ThreadPoolExecutor() as threads:
        with place.sessions.begin() as session:
            session.execute(text(f"SELECT {GATE}"))
            written = threads.submit(write, change)
            wait_until_blocked(place, 1)
            met = threads.submit(other)
            wait_until_blocked(place, 2)
        met.result(PATIENCE_S)
    return len(calls), written


def test_a_change_that_meets_a_deadlock_is_repeated_and_written_once(place, run_ids):
    calls, written = meet(place, run_ids, lambda change: in_transaction(place.sessions, change))
    assert written.result(PATIENCE_S) == "written"
    with place.sessions() as session:
        assert session.get_one(Run, run_ids[0]).priority == 1
    assert calls == 2


def test_a_change_that_is_not_repeated_is_not_reported_as_a_database_that_is_away(place, run_ids):
    def once(change):
        with place.sessions.begin() as session:
            change(session)

    _, written = meet(place, run_ids, once)
    error = written.exception(PATIENCE_S)
    assert isinstance(error, OperationalError)
    assert is_conflict(error)
    assert "nothing was changed. Try again." in describe_error(error)
    assert "does not answer" not in describe_error(error)


def test_a_server_with_another_isolation_by_default_is_used_like_any_other(
    postgres, postgres_database
):
    strict = "?options=-c%20default_transaction_isolation%3Dserializable&"
    sessions = connect(postgres.url(postgres_database).replace("?", strict))
    with sessions.begin() as session:
        assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    with reading(sessions) as session:
        assert session.scalar(text("SHOW transaction_isolation")) == "repeatable read"
    with sessions.begin() as session:
        assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    engine_of(sessions).dispose()


def test_other_errors_are_not_repeated(place):
    calls = []

    def change(session):
        calls.append(session)
        session.execute(text("SET LOCAL statement_timeout = 1"))
        session.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(OperationalError, match="statement timeout"):
        in_transaction(place.sessions, change)
    assert len(calls) == 1
