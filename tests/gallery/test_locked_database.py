"""Reviews while another process holds the database's lock."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from starlette.testclient import TestClient

from chatgenimage.db.session import writing_soon
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from chatgenimage.factory.settings.model import DATABASE_FILE
from tests import rows
from tests.gallery.test_security import ORIGIN, form_of

REVIEWS = 30
PATIENCE_S = 0.5
LONGEST_S = 50
"""Less than a writer waits for SQLite's lock elsewhere."""


@contextmanager
def open_gallery(data_dir, patience_s):
    with (
        open_store(data_dir) as store,
        TestClient(
            build_gallery(store, patience_s=patience_s),
            "http://127.0.0.1",
            follow_redirects=False,
            raise_server_exceptions=False,
        ) as client,
    ):
        yield client


@pytest.fixture
def client(family):
    with open_gallery(family.data_dir, PATIENCE_S) as client:
        yield client


@pytest.fixture
def lock(family):
    """A transaction of another process; it ends when the test commits."""
    other = sqlite3.connect(family.data_dir / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def review(client, form):
    return client.post("/candidates/1/mark", data={"mark": "good", "form": form}, headers=ORIGIN)


def test_a_crowd_of_reviews_is_answered_soon_and_pages_too(client, lock, family):
    form, started = form_of(client), time.monotonic()
    with ThreadPoolExecutor(REVIEWS) as pool:
        answers = [pool.submit(review, client, form) for _ in range(REVIEWS)]
        assert client.get("/candidates/1").status_code == 200
        found = [answer.result() for answer in answers]
    assert {answer.status_code for answer in found} == {503}
    assert "locked by another process; nothing was saved" in found[0].text
    assert time.monotonic() - started < LONGEST_S
    lock.execute("COMMIT")
    assert review(client, form).status_code == 303
    with family.sessions() as session:
        assert rows.marks(session) == {1: True}


def test_a_review_waits_for_a_short_lock(family):
    other = sqlite3.connect(
        family.data_dir / DATABASE_FILE, isolation_level=None, check_same_thread=False
    )
    timer = threading.Timer(PATIENCE_S, lambda: other.execute("COMMIT"))
    with open_gallery(family.data_dir, LONGEST_S) as client:
        form = form_of(client)
        other.execute("BEGIN IMMEDIATE")
        timer.start()
        assert review(client, form).status_code == 303
    timer.join()
    other.close()


def test_without_a_free_connection_a_page_says_so(client, monkeypatch):
    def fail(*_):
        raise NoFreeConnection("QueuePool limit reached")

    monkeypatch.setattr("chatgenimage.factory.gallery.pages.list_runs", fail)
    answer = client.get("/runs")
    assert (answer.status_code, "QueuePool limit reached" in answer.text) == (503, True)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_short_patience_is_only_for_one_transaction(request, kind):
    place = request.getfixturevalue(f"{kind}_place")
    with writing_soon(place.sessions, PATIENCE_S) as session:
        rows.add_run(session)
    with place.sessions() as session:
        asked = "PRAGMA busy_timeout" if kind == "sqlite" else "SHOW lock_timeout"
        waits = session.connection().exec_driver_sql(asked).scalar()
        assert waits == (60_000 if kind == "sqlite" else "0")
