"""Deadlines on a real PostgreSQL: frozen clients, locks, long statements, silent connections."""

import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from chatgenimage.db import deadlines
from chatgenimage.db.session import connect, engine_of
from chatgenimage.tasks.failures import TRANSIENT
from tests import rows

PATIENCE_S = 1.0
LOCK = text("SELECT id FROM run FOR UPDATE")


@pytest.fixture
def impatient(postgres, postgres_place, postgres_database):
    """Sessions with a deadline, over a database with one run."""
    with postgres_place.sessions.begin() as session:
        rows.add_run(session)
    sessions = connect(postgres.url(postgres_database), patience_s=PATIENCE_S)
    yield sessions
    engine_of(sessions).dispose()


def test_a_client_frozen_in_its_transaction_loses_its_locks(impatient):
    frozen = impatient()
    frozen.execute(LOCK)
    time.sleep(PATIENCE_S + 0.5)
    with impatient.begin() as session:
        assert len(session.execute(LOCK).all()) == 1  # nobody holds the row any more
    with pytest.raises(TRANSIENT):
        frozen.execute(LOCK)
    frozen.rollback()
    assert len(frozen.execute(LOCK).all()) == 1
    frozen.close()


def test_a_lock_that_somebody_holds_is_not_waited_for_without_end(impatient, postgres_place):
    with postgres_place.sessions.begin() as holder, impatient() as session:
        holder.execute(LOCK)
        started = time.monotonic()
        with pytest.raises(TRANSIENT, match="lock timeout"):
            session.execute(LOCK)
        assert time.monotonic() - started < PATIENCE_S


def test_a_statement_that_takes_too_long_is_ended(impatient):
    with impatient() as session, pytest.raises(TRANSIENT, match="statement timeout"):
        session.execute(text("SELECT pg_sleep(60)"))


def test_a_connection_that_is_silently_gone_is_noticed_and_replaced(
    postgres, postgres_place, postgres_database, tmp_path, monkeypatch
):
    monkeypatch.setattr(deadlines, "MARGIN_S", 0.5)
    url = postgres.url(postgres_database)
    with swallowing_proxy(postgres.folder, tmp_path) as swallow:
        sessions = connect(url.replace(str(postgres.folder), str(tmp_path)), patience_s=PATIENCE_S)
        with sessions() as session:
            session.execute(LOCK)
            swallow.set()
            started = time.monotonic()
            with pytest.raises(TRANSIENT):
                session.execute(LOCK)
            assert time.monotonic() - started < PATIENCE_S + 5
            swallow.clear()
            session.rollback()
            session.execute(LOCK)
        engine_of(sessions).dispose()


@contextmanager
def swallowing_proxy(folder, own_folder):
    """Forward a PostgreSQL socket; while the event is set, what arrives is thrown away."""
    name = ".s.PGSQL.5432"
    swallow, threads = threading.Event(), []

    def forward(source, target):
        with suppress(OSError):
            while content := source.recv(65536):
                if not swallow.is_set():
                    target.sendall(content)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    with ExitStack() as opened:
        server = opened.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(own_folder / name))
        server.listen()

        def serve():
            while True:
                try:
                    client = opened.enter_context(server.accept()[0])
                except OSError:
                    return
                upstream = opened.enter_context(socket.socket(socket.AF_UNIX))
                upstream.connect(str(Path(folder) / name))
                for pair in ((client, upstream), (upstream, client)):
                    threads.append(threading.Thread(target=forward, args=pair))
                    threads[-1].start()

        acceptor = threading.Thread(target=serve)
        acceptor.start()
        yield swallow
        server.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        for thread in threads:
            thread.join()
