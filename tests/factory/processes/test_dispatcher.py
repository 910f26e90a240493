import threading
import time
from contextlib import ExitStack

import pytest
from sqlalchemy import func, select, update
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
STALE_S = 3600.0
"""Longer than the test: a message looks lost only after `make_stale`."""
SOME_TICKS = 5


@pytest.fixture(params=["sqlite", "postgres"])
def place_of_each(request):
    """A migrated database of each kind with many waiting batches."""
    place = request.getfixturevalue(f"{request.param}_place")
    with place.sessions.begin() as session:
        rows.add_run(session, [f"word {number}" for number in range(3 * WINDOW)])
    return place


def make_stale(place):
    """Let every message look as if it was sent long ago."""
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(rung_at=Batch.rung_at - 2 * STALE_S))


def wait_for_ticks(ticks, count):
    """Wait until each dispatcher has begun so many more ticks: all but the last have ended."""
    before = [len(each) for each in ticks]
    wait_for(
        lambda: all(len(each) - start >= count for each, start in zip(ticks, before, strict=True))
    )


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

        ticks = [[], []]  # what each dispatcher counted, per tick
        for counted in ticks:
            each = make_celery(settings, broker.url)
            dispatcher = Dispatcher(each, place.sessions, settings.delivery)
            dispatcher.observe = counted.append
            dispatchers.enter_context(dispatcher.start())
        wait_for(lambda: waiting() == WINDOW)
        wait_for_ticks(ticks, 2)  # from here on each has counted the whole window
        make_stale(place)
        wait_for_ticks(ticks, SOME_TICKS)
        assert waiting() == WINDOW
        with place.sessions() as session:
            in_flight = select(func.count()).where(Batch.state == BatchState.IN_FLIGHT)
            assert session.scalar(in_flight) == WINDOW
        with app.pool.acquire(block=True) as connection:
            connection.default_channel.client.flushall()  # type: ignore[attr-defined]  # a stub lacks it
        wait_for(lambda: waiting() >= WINDOW)
        wait_for_ticks(ticks, SOME_TICKS)
        assert waiting() == WINDOW


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
