"""Passes that are written while the next one is computed, shown with a toy step."""

import contextlib
import dataclasses
import threading

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from chatgenimage.db import delivery, items
from chatgenimage.db.errors import StorageUnavailable
from chatgenimage.db.models import Item, Run, Step
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.tasks import resources
from chatgenimage.tasks.pass_threads import PassThreads
from chatgenimage.tasks.step import ChainEnds, run_step
from tests.tasks.toy import SUBJECTS, Toy, first_step, items_of

PATIENCE_S = 60


@pytest.fixture
def threads(toy_batch):
    """The background threads of this process, used by its steps."""
    opened = PassThreads()
    resources.use(dataclasses.replace(resources.current(), threads=opened))
    yield opened
    opened.close()


class OverlappingToy(Toy):
    """A toy step in passes of two, whose results are finished in the background.

    Attributes:
        before_finish: Called with each subject before it is finished.
        finished: The subjects that were finished.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.before_finish = lambda _subject: None
        self.finished = []
        self.work = dataclasses.replace(
            self.work, pass_size=2, finish=self.finish, overlaps=True, write=self.write
        )

    def finish(self, _resources, inputs, _made):
        self.before_finish(inputs["subject"])
        self.finished.append(inputs["subject"])


def run(toy, batch_id, threads):
    """Run the step until its last pass is written."""
    with contextlib.suppress(ChainEnds):
        run_step(toy.work, batch_id)
    threads.drain()


def test_a_pass_is_computed_while_the_previous_one_is_finished(place, toy_batch, threads):
    toy, second_began = OverlappingToy(), threading.Event()
    waited = []
    toy.before_finish = lambda s: waited.append(s > 1 or second_began.wait(PATIENCE_S))
    toy.before_pass = lambda: second_began.set() if len(toy.passes) == 2 else None
    run(toy, toy_batch, threads)
    assert all(waited)
    assert toy.passes == [[1, 2], [3, 4], [5]]
    assert toy.written == list(SUBJECTS)
    assert first_step(place).state == StepState.DONE


def test_no_pass_is_computed_before_the_one_before_the_last_is_written(toy_batch, threads):
    toy, unwritten = OverlappingToy(), []
    toy.before_pass = lambda: unwritten.append(sum(map(len, toy.passes)) - len(toy.written))
    run(toy, toy_batch, threads)
    assert max(unwritten) <= 4  # a pass that is written, and the one that begins


def test_the_last_pass_is_written_while_the_worker_is_free_for_other_work(
    place, toy_batch, threads
):
    toy, may_finish = OverlappingToy(), threading.Event()
    toy.before_finish = lambda s: s < 5 or may_finish.wait(PATIENCE_S)
    run_step(toy.work, toy_batch)
    assert first_step(place).state == StepState.RUNNING
    assert toy.written == [1, 2, 3, 4]
    may_finish.set()
    threads.drain()
    assert toy.written == list(SUBJECTS)
    assert first_step(place).state == StepState.DONE


def test_a_kill_costs_an_attempt_of_two_passes_at_most(place, toy_batch, threads):
    toy, counted = OverlappingToy(), []

    def count():
        rows = items_of(place).values()
        counted.append(sum(row.attempts for row in rows if row.state == ItemState.READY))

    toy.before_pass = count
    run(toy, toy_batch, threads)
    assert max(counted) <= 4


def test_an_item_that_was_tried_before_is_computed_while_nothing_else_is_open(
    place, toy_batch, threads
):
    toy, others = OverlappingToy(), []
    with place.sessions.begin() as session:  # the rows after a crash during items 1 and 2
        held, _ = delivery.claim_step(session, toy_batch, "brainstorm", owner="dead", lease_s=-1)
        items.add_items(session, held, SUBJECTS)
        session.flush()
        for item in session.scalars(select(Item).where(Item.subject_id <= 2)):
            item.attempts = 1

    def note_open_attempts():
        rows = items_of(place).values()
        tried = {r.subject_id for r in rows if r.state == ItemState.READY and r.attempts > 1}
        begun = {r.subject_id for r in rows if r.state == ItemState.READY and r.attempts}
        others.append((toy.passes[-1], tried, begun))

    toy.before_pass = note_open_attempts
    run(toy, toy_batch, threads)
    assert toy.passes == [[3, 4], [5], [1], [2]]
    assert others[2:] == [([1], {1}, {1, 2}), ([2], {2}, {2})]


def test_a_step_that_is_asked_to_stop_starts_no_other_pass(place, toy_batch, threads):
    toy = OverlappingToy()

    def stop():
        with place.sessions.begin() as session:
            delivery.request_stop(session, "test@here#1")

    toy.before_pass = stop
    run(toy, toy_batch, threads)
    assert (toy.passes, toy.written) == ([[1, 2]], [1, 2])
    assert first_step(place).state == StepState.READY
    assert {items_of(place)[subject].attempts for subject in (3, 4, 5)} == {0}


def test_a_run_that_is_paused_keeps_what_is_computed(place, toy_batch, threads):
    toy = OverlappingToy()

    def pause():
        with place.sessions.begin() as session:
            session.scalars(select(Run)).one().state = RunState.PAUSED

    toy.before_pass = lambda: pause() if len(toy.passes) == 2 else None
    run(toy, toy_batch, threads)
    assert toy.written == [1, 2, 3, 4]
    assert first_step(place).state == StepState.READY
    assert items_of(place)[5].attempts == 0


def test_an_item_that_cannot_be_finished_costs_itself_alone(place, toy_batch, threads):
    toy = OverlappingToy()

    def fail(subject):
        if subject == 2:
            raise ValueError("no such colour")

    toy.before_finish = fail
    for _ in range(6):  # a step that failed after its worker left is queued again
        run(toy, toy_batch, threads)
    assert sorted(toy.written) == [1, 3, 4, 5]
    given_up = items_of(place)[2]
    assert (given_up.state, given_up.attempts) == (ItemState.QUARANTINED, 3)
    assert "no such colour" in given_up.error
    assert first_step(place).state == StepState.DONE


def test_an_item_that_cannot_be_written_costs_itself_alone(place, toy_batch, threads):
    toy = OverlappingToy()
    toy.unwritable = {5}
    for _ in range(6):
        run(toy, toy_batch, threads)
    assert toy.written == [1, 2, 3, 4]
    assert items_of(place)[5].state == ItemState.QUARANTINED
    assert first_step(place).state == StepState.DONE


@pytest.mark.parametrize("subject", [1, 5], ids=["first pass", "last pass"])
@pytest.mark.parametrize(
    "error",
    [StorageUnavailable("disk full"), OperationalError("select 1", {}, Exception("gone"))],
    ids=["storage", "database"],
)
def test_a_store_that_is_away_makes_the_step_wait_without_costing_an_attempt(
    place, toy_batch, threads, subject, error
):
    toy = OverlappingToy()

    def fail(which):
        if which == subject:
            raise error

    toy.before_finish = fail
    run(toy, toy_batch, threads)
    step = first_step(place)
    assert (step.state, step.token) == (StepState.READY, None)
    assert str(error) in step.error
    left = [row for row in items_of(place).values() if row.state == ItemState.READY]
    assert {row.attempts for row in left} == {0}
    toy.before_finish = lambda _subject: None
    run(toy, toy_batch, threads)
    assert sorted(toy.written) == list(SUBJECTS)
    assert first_step(place).state == StepState.DONE


def test_a_pass_that_is_too_big_is_halved_while_another_is_written(place, toy_batch, threads):
    toy = OverlappingToy(most=1)
    run(toy, toy_batch, threads)
    assert sorted(toy.written) == list(SUBJECTS)
    assert {row.attempts for row in items_of(place).values()} == {1}
    assert first_step(place).state == StepState.DONE


def test_a_worker_that_lost_its_lease_writes_nothing_more(place, toy_batch, threads):
    toy = OverlappingToy()

    def another_takes_over():
        with place.sessions.begin() as session:
            session.scalars(select(Step).order_by(Step.position)).first().token = "other"

    toy.before_pass = another_takes_over
    run(toy, toy_batch, threads)
    assert toy.written == []
    assert len(toy.passes) <= 2


def test_a_pass_that_hits_the_time_limit_leaves_what_was_computed(place, toy_batch, threads):
    toy = OverlappingToy(failing={3}, error=SoftTimeLimitExceeded())
    run(toy, toy_batch, threads)
    assert toy.written == [1, 2]
    assert first_step(place).state == StepState.READY
    toy.failing = set()
    for _ in range(3):
        run(toy, toy_batch, threads)
    assert sorted(toy.written) == list(SUBJECTS)
    assert toy.passes[2:] == [[5], [3], [4]]


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_fails_itself_waits_and_is_done_later(place, toy_batch, threads, part):
    def broken(_session, _step):
        raise KeyError("missing score")

    toy = OverlappingToy()
    whole, toy.work = toy.work, dataclasses.replace(toy.work, **{part: broken})
    run(toy, toy_batch, threads)
    step = first_step(place)
    assert (step.state, step.error) == (StepState.READY, "'missing score'")
    toy.work = whole
    run(toy, toy_batch, threads)
    assert first_step(place).state == StepState.DONE
    assert {item.state for item in items_of(place).values()} == {ItemState.DONE}
