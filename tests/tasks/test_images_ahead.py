"""Images that are read in the background, and messages that are sent from there."""

import dataclasses
import threading

import numpy as np
import pytest
from celery import Celery
from celery.app.trace import build_tracer
from sqlalchemy import select, update

from chatgenimage.db.errors import ImageMissing
from chatgenimage.db.models import Batch, Step
from chatgenimage.db.states import BatchState, StepState
from chatgenimage.tasks import resources
from chatgenimage.tasks.next_step_images import look_ahead, take_ahead
from chatgenimage.tasks.pass_images import PassImages
from chatgenimage.tasks.pass_threads import PassThreads, take_rest_of_chain
from chatgenimage.tasks.step import run_step
from tests import rows
from tests.tasks.toy import Toy

PATIENCE_S = 60


class CountingStore:
    """An image store in memory; counts how often each image is read."""

    def __init__(self, *, missing=()):
        self.missing = set(missing)
        self.read = []

    def get(self, sha256):
        self.read.append(sha256)
        if sha256 in self.missing:
            raise ImageMissing(sha256)
        return np.full((1, 1, 3), ord(sha256[0]), np.uint8)

    def put(self, _pixels, _provenance):
        return "stored"


@pytest.fixture
def threads():
    opened = PassThreads()
    yield opened
    opened.close()


def test_an_image_is_read_once_for_all_items_of_a_pass(threads):
    store = CountingStore()
    images = PassImages(store, threads, ["a", "b", "a"])
    first, again = images.get("a"), images.get("a")
    first[:] = 0
    assert again[0, 0, 0] == ord("a")  # nobody changes another item's pixels
    assert images.get("b")[0, 0, 0] == ord("b")
    assert sorted(store.read) == ["a", "b"]
    assert images.get("b")[0, 0, 0] == ord("b")  # a pass that is computed again
    assert sorted(store.read) == ["a", "b", "b"]
    assert images.get("other")[0, 0, 0] == ord("o")


def test_an_image_that_is_got_once_is_not_copied(threads):
    reading = []

    class Store(CountingStore):
        def get(self, sha256):
            reading.append(super().get(sha256))
            return reading[-1]

    images = PassImages(Store(), threads, ["a"])
    assert images.get("a") is reading[0]
    assert images.get("a") is not reading[0]


def test_an_image_that_could_not_be_read_is_read_again_when_it_is_needed_again(threads):
    store = CountingStore(missing={"a"})
    images = PassImages(store, threads, ["a"])
    with pytest.raises(ImageMissing):
        images.get("a")
    store.missing = set()
    assert images.get("a")[0, 0, 0] == ord("a")


def test_images_that_were_read_ahead_are_not_read_again(threads):
    store = CountingStore()
    ahead = PassImages(store, threads, ["a", "b"])
    images = PassImages(store, threads, ["b", "c"], ahead)
    for source, sha256 in ((ahead, "a"), (images, "b"), (images, "c")):
        source.get(sha256)
    assert sorted(store.read) == ["a", "b", "c"]


@pytest.fixture
def two_batches(place, toy_batch):
    """Two batches in flight, each with a message for its first step."""
    with place.sessions.begin() as session:
        first = session.scalars(select(Batch)).one()
        second = Batch(
            run_id=first.run_id,
            label_id=first.label_id,
            index=1,
            size=first.size,
            priority=first.priority,
            state=BatchState.IN_FLIGHT,
        )
        session.add(second)
        session.flush()
        rows.add_steps(session, second)
        session.execute(update(Batch).values(rung_at=1.0, state=BatchState.IN_FLIGHT))
        return toy_batch, second.id


def test_the_images_of_the_next_step_are_read_and_no_row_is_changed(place, two_batches, threads):
    store, first = CountingStore(), two_batches[0]
    here = dataclasses.replace(resources.current(), images=store, threads=threads)
    resources.use(here)
    toy, looked = Toy(), threading.Event()
    work = dataclasses.replace(
        toy.work,
        overlaps=True,
        pass_size=2,
        images_of=lambda subject: (f"{subject['subject']}",),
    )
    with place.sessions.begin() as session:  # the first is being worked on
        session.execute(update(Step).where(Step.batch_id == first).values(state=StepState.DONE))
    look_ahead(work, here, threads)
    threads.search.add_done_callback(lambda _: looked.set())
    assert looked.wait(PATIENCE_S)
    with place.sessions() as session:
        [step] = session.scalars(select(Step).where(Step.batch_id == two_batches[1]).limit(1))
        assert (step.state, step.attempts) == (StepState.READY, 0)
    ahead = take_ahead(threads)
    ahead.get("1")
    ahead.get("2")
    assert sorted(store.read) == ["1", "2"]
    assert take_ahead(threads) is None


def test_a_step_that_is_ready_only_later_is_found_while_the_device_computes(
    place, two_batches, threads
):
    here = dataclasses.replace(resources.current(), images=CountingStore(), threads=threads)
    work = dataclasses.replace(Toy().work, images_of=lambda subject: (f"{subject['subject']}",))
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(rung_at=None))
    look_ahead(work, here, threads)
    with pytest.raises(TimeoutError):
        threads.search.result(0.1)
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(rung_at=1.0))
    assert threads.search.result(PATIENCE_S)
    assert take_ahead(threads)


def test_a_search_in_vain_ends_with_the_pass(place, two_batches, threads):
    here = dataclasses.replace(resources.current(), images=CountingStore(), threads=threads)
    work = dataclasses.replace(Toy().work, images_of=lambda _subject: ("a",))
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(rung_at=None))
    look_ahead(work, here, threads)
    search = threads.search
    assert take_ahead(threads) is None
    assert search.result(PATIENCE_S) is None


def test_a_search_that_fails_costs_nothing(place, two_batches, threads):
    def unreadable(_session, _step):
        raise LookupError("no such row")

    here = dataclasses.replace(resources.current(), threads=threads)
    toy = Toy()
    work = dataclasses.replace(toy.work, plan=unreadable, images_of=lambda _subject: ("a",))
    look_ahead(work, here, threads)
    threads.search.exception(PATIENCE_S)
    assert take_ahead(threads) is None
    run_step(toy.work, two_batches[0])


def test_the_rest_of_a_chain_is_sent_by_the_one_who_took_it():
    app, taken = Celery("ahead", broker="memory://", set_as_current=False), []

    @app.task(name="first", ignore_result=True)
    def first():
        taken.append(take_rest_of_chain())

    @app.task(name="second", ignore_result=True)
    def second():
        """Run nowhere: only its message is looked at."""

    with app.connection() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        message = {"id": "1", "root_id": "1", "delivery_info": {}, "chain": [dict(second.si())]}
        build_tracer("first", app.tasks["first"], app=app)("1", (), {}, message)
        assert queue.qsize() == 0  # Celery sends nothing when the task ends
        [send_rest] = taken
        send_rest()
        assert queue.get(timeout=PATIENCE_S).headers["task"] == "second"


def test_outside_of_a_task_there_is_no_rest_of_a_chain():
    take_rest_of_chain()()
