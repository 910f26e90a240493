"""Deadlines on a real PostgreSQL: frozen clients, locks, long statements, silent connections."""

import time

import pytest
from sqlalchemy import text

from chatgenimage.db import deadlines
from chatgenimage.db.session import connect, engine_of
from chatgenimage.tasks.failures import TRANSIENT
from tests import rows
from tests.proxy import SwallowingProxy

PATIENCE_S = 2.0
LOCK = text("SELECT id FROM run FOR UPDATE")


@pytest.fixture
def impatient(postgres, postgres_place, postgres_database):
    """Sessions with a deadline, over a database with one run."""
    with postgres_place.sessions.begin() as session:
        rows.add_run(session)
    sessions = connect(postgres.url(postgres_database), patience_s=PATIENCE_S)
    yield sessions
    engine_of(sessions).dispose()


def test_a_client_frozen_in_its_transaction_loses_its_locks(impatient, postgres_place):
    frozen = impatient()
    frozen.execute(LOCK)
    with postgres_place.sessions.begin() as session:  # it waits for the lock
        session.execute(text("SET LOCAL lock_timeout = '60s'"))
        assert len(session.execute(LOCK).all()) == 1
    with pytest.raises(TRANSIENT):
        frozen.execute(LOCK)
    frozen.rollback()
    assert len(frozen.execute(LOCK).all()) == 1
    frozen.close()


def test_a_lock_that_somebody_holds_is_not_waited_for_without_end(impatient, postgres_place):
    with postgres_place.sessions.begin() as holder, impatient() as session:
        holder.execute(LOCK)
        with pytest.raises(TRANSIENT, match="lock timeout"):
            session.execute(LOCK)


def test_a_statement_that_takes_too_long_is_ended(impatient):
    with impatient() as session, pytest.raises(TRANSIENT, match="statement timeout"):
        session.execute(text("SELECT pg_sleep(60)"))


def test_a_connection_that_is_silently_gone_is_noticed_and_replaced(
    postgres, postgres_place, postgres_database, tmp_path, monkeypatch
):
    monkeypatch.setattr(deadlines, "MARGIN_S", 0.5)
    url = postgres.url(postgres_database)
    proxy = SwallowingProxy(postgres.folder, tmp_path)
    sessions = connect(url.replace(str(postgres.folder), str(tmp_path)), patience_s=PATIENCE_S)
    with sessions() as session:
        session.execute(LOCK)
        proxy.swallow()
        started = time.monotonic()
        with pytest.raises(TRANSIENT):
            session.execute(LOCK)
        assert time.monotonic() - started < PATIENCE_S + 60
        session.rollback()
        session.execute(LOCK)
    engine_of(sessions).dispose()
    proxy.stop()
