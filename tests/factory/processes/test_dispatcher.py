import threading
import time
from contextlib import ExitStack

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from chatgenimage.db.models import Batch
from chatgenimage.db.states import BatchState
from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import count_waiting
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.processes.dispatcher import Dispatcher
from chatgenimage.factory.processes.stalls import StallLog
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks.chain import QUEUE_NAMES
from tests import rows

URL = "redis+socket:///tmp/nowhere.sock?virtual_host=0"
WINDOW = 7
PATIENCE_S = 120
STALE_S = 4.0
"""Longer than a busy machine needs between a tick's commit and its last message."""


@pytest.fixture(params=["sqlite", "postgres"])
def place_of_each(request):
    """A migrated database of each kind with many waiting batches."""
    place = request.getfixturevalue(f"{request.param}_place")
    with place.sessions.begin() as session:
        rows.add_run(session, [f"word {number}" for number in range(3 * WINDOW)])
    return place


def wait_for(condition):
    """Wait until the condition is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_dispatcher_waits_for_a_broker_that_stops_answering(place):
    settings = load_settings("micro", data_dir=place.data_dir)
    answers = iter([BrokerUnavailable("gone"), BrokerUnavailable("still gone"), None])
    came_back = threading.Event()

    def ensure():
        if error := next(answers, None):
            raise error
        came_back.set()

    app = make_celery(settings, URL)
    with Dispatcher(app, place.sessions, settings.delivery, ensure).start():
        assert came_back.wait(timeout=PATIENCE_S)


@pytest.mark.processes
def test_two_dispatchers_fill_the_window_once_and_again_after_the_broker_forgot(
    place_of_each, tmp_path
):
    place = place_of_each
    delivery = {"window": WINDOW, "stale_s": STALE_S}
    settings = load_settings("micro", data_dir=tmp_path, delivery=delivery)
    with EmbeddedBroker(tmp_path / "data") as broker, ExitStack() as dispatchers:
        app = make_celery(settings, broker.url)

        def waiting():
            return count_waiting(app, QUEUE_NAMES)["language"]

        for _ in range(2):
            each = make_celery(settings, broker.url)
            dispatchers.enter_context(Dispatcher(each, place.sessions, settings.delivery).start())
        wait_for(lambda: waiting() == WINDOW)
        time.sleep(STALE_S + 0.5)  # many ticks, and long enough for every message to look stale
        assert waiting() == WINDOW
        with place.sessions() as session:
            in_flight = select(func.count()).where(Batch.state == BatchState.IN_FLIGHT)
            assert session.scalar(in_flight) == WINDOW
        with app.pool.acquire(block=True) as connection:
            connection.default_channel.client.flushall()  # type: ignore[attr-defined]  # a stub lacks it
        wait_for(lambda: waiting() >= WINDOW)


def test_a_run_that_makes_no_progress_is_logged_with_the_reason(place):
    with place.sessions.begin() as session:
        rows.add_run(session)
    stalls = StallLog(place.sessions, lease_s=-1.0)
    with capture_logs() as lines:
        stalls.look(has_turn=False)
    events = {line["event"]: line for line in lines}
    assert events["run_waits"]["waits"] == [
        "1 batch has not started: no dispatcher for the models of this run"
    ]
    assert "dispatcher_has_no_turn" in events
