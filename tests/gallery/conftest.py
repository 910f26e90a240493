import threading
import time
from contextlib import contextmanager
from functools import partial

import anyio
import pytest

from chatgenimage.db.models import Candidate
from chatgenimage.factory.gallery.connections import REQUEST_S, PatientProtocol
from chatgenimage.factory.gallery.serving import bind, make_server
from chatgenimage.factory.query.store import open_store
from tests import rows

WAIT_S = 60
CONTEXTS = []
"""Of the browser, with the pages of this test: they are closed before their server ends.

Else a page that still loads complains, and a connection that comes late is never closed: Python
warns of it in any later test.
"""


@contextmanager
def served(data_dir, token=None, *, request_s=REQUEST_S, answer_after_s=0):
    """Serve the gallery of a data folder with the real server; yield its URL.

    A request must arrive in `request_s` and is answered after `answer_after_s`.
    """
    address = bind("127.0.0.1", 0, token)
    with open_store(data_dir) as store, address.socket as bound:
        server = make_server(store, address.token)
        server.config.http = partial(PatientProtocol, request_s=request_s)
        server.config.timeout_graceful_shutdown = WAIT_S
        server.config.app = answering_late(server.config.app, answer_after_s)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        until = time.monotonic() + WAIT_S
        while not server.started:
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.01)
        try:
            yield address.page.removesuffix("/runs")
        finally:
            close_pages()
            server.should_exit = True
            thread.join(2 * WAIT_S)
        assert not thread.is_alive(), "the server does not end"


def close_pages():
    """Close the browser's pages of this test."""
    while CONTEXTS:
        CONTEXTS.pop().close()


def answering_late(app, seconds):
    """Return an ASGI application that waits before it answers."""

    async def wait_and_answer(scope, receive, send):
        if scope["type"] == "http":
            await anyio.sleep(seconds)
        await app(scope, receive, send)

    return wait_and_answer


@pytest.fixture
def open_page(chromium):
    """Opens pages; a script error or a violation of the security policy fails the test."""
    complaints = []

    def complain(message, expects):
        is_known = any(told in message.text for told in expects)
        if message.type == "error" and not is_known:
            complaints.append(message.text)

    def open_one(expects=(), **options):
        context = chromium.new_context(**options)
        CONTEXTS.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_S * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complain(message, expects))
        return page

    yield open_one
    close_pages()
    assert complaints == []


@pytest.fixture
def family(sqlite_place):
    """A finished run of two labels, each with an image, its edit and its fill."""
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, ["dog", "house"], state="done", finished_at=time.time())
        for batch in rows.batches_of(session, run):
            rows.add_family(sqlite_place, session, batch)
    return sqlite_place


@pytest.fixture
def gallery(family):
    """URL of the gallery of that run."""
    with served(family.data_dir) as address:
        yield address


def candidate_of(place, label, key):
    """Return the candidate with this label and key."""
    with place.sessions() as session:
        query = session.query(Candidate).join(Candidate.label)
        return query.filter(Candidate.key == key, Candidate.label.has(name=label)).one()
