"""What every step promises, shown on a toy step over the real tables."""

import contextlib
import dataclasses

import pytest
from celery.exceptions import Ignore
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from db import delivery
from db.models import Batch, Item, LlmCall, Run, Step
from db.states import BatchState, ItemState, StepState
from tasks import resources
from tasks.options import DeliveryOptions
from tasks.resources import Resources
from tasks.step import StepWork, run_step
from tests import rows
from workers.errors import AnswerRefused, OutOfMemory
from workers.values import Exchange

SUBJECTS = (1, 2, 3, 4, 5)


class Toy:
    """A step whose items are numbers; it remembers every pass and every result it wrote."""

    def __init__(self, *, failing=(), error=None, most=99):
        self.failing = set(failing)
        self.error = error or ValueError("bad item")
        self.most = most
        self.passes = []
        self.written = []
        self.before_pass = lambda: None
        self.work = StepWork(
            "brainstorm",
            lambda _session, _step: SUBJECTS,
            lambda _session, _step, subject: subject,
            self.compute,
            lambda _session, _step, subject, _result: self.written.append(subject),
        )

    def compute(self, _resources, subjects):
        self.passes.append(list(subjects))
        self.before_pass()
        if len(subjects) > self.most:
            raise OutOfMemory("too many at once")
        if self.failing & set(subjects):
            raise self.error
        return [None] * len(subjects)


@pytest.fixture
def batch_id(place):
    """A batch in flight whose first step is to be done."""
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        rows.add_steps(session, batch)
        batch_id = batch.id
    options = DeliveryOptions(max_attempts=3, max_backoff_s=0.0)
    resources.use(Resources(place.sessions, place.images, (), options, "test@here#1"))
    return batch_id


def first_step(place):
    with place.sessions() as session:
        return session.scalars(select(Step).order_by(Step.position)).first()


def items(place):
    with place.sessions() as session:
        return {item.subject_id: item for item in session.scalars(select(Item))}


def test_all_items_are_computed_together_and_written_once(place, batch_id):
    toy = Toy()
    run_step(toy.work, batch_id)
    assert toy.passes == [list(SUBJECTS)]
    assert toy.written == list(SUBJECTS)
    assert first_step(place).state == StepState.DONE


def test_a_message_that_comes_twice_does_nothing_the_second_time(place, batch_id):
    toy = Toy()
    run_step(toy.work, batch_id)
    with pytest.raises(Ignore):
        run_step(toy.work, batch_id)
    assert toy.written == list(SUBJECTS)


def test_a_message_for_another_step_than_the_current_is_ignored(batch_id):
    toy = Toy()
    early = StepWork("filter", toy.work.plan, toy.work.read, toy.compute, toy.work.write)
    with pytest.raises(Ignore):
        run_step(early, batch_id)
    assert not toy.passes


def test_one_bad_item_is_quarantined_with_its_traceback_and_the_rest_is_done(place, batch_id):
    toy = Toy(failing={3})
    run_step(toy.work, batch_id)
    assert sorted(toy.written) == [1, 2, 4, 5]
    bad = items(place)[3]
    assert bad.state == ItemState.QUARANTINED
    assert "ValueError: bad item" in bad.error
    assert toy.passes.count([3]) == 3


def test_a_batch_that_is_too_big_for_the_memory_is_halved(place, batch_id):
    toy = Toy(most=2)
    run_step(toy.work, batch_id)
    assert sorted(toy.written) == list(SUBJECTS)
    assert all(item.state == ItemState.DONE for item in items(place).values())


def test_an_answer_that_is_refused_is_not_asked_for_again_and_stands_in_the_ledger(place, batch_id):
    exchange = Exchange("scenes", "toy", ({"role": "user", "content": "?"},), "nonsense")
    toy = Toy(failing={2}, error=AnswerRefused("no scenes in the answer", [exchange]))
    run_step(toy.work, batch_id)
    assert items(place)[2].state == ItemState.QUARANTINED
    assert toy.passes.count([2]) == 1
    with place.sessions() as session:
        assert session.scalars(select(LlmCall.answer)).all() == ["nonsense"]


def test_a_fault_of_the_surroundings_makes_the_step_wait_without_costing_an_attempt(
    place, batch_id
):
    toy = Toy(failing=SUBJECTS, error=OperationalError("select 1", {}, Exception("gone")))
    with pytest.raises(Ignore):
        run_step(toy.work, batch_id)
    step = first_step(place)
    assert (step.state, step.token) == (StepState.READY, None)
    assert "gone" in step.error
    assert {item.attempts for item in items(place).values()} == {0}
    toy.failing = set()
    run_step(toy.work, batch_id)
    assert sorted(toy.written) == list(SUBJECTS)


def test_a_worker_that_lost_its_lease_writes_nothing(place, batch_id):
    toy = Toy()

    def another_takes_over():
        with place.sessions.begin() as session:
            session.scalars(select(Step).order_by(Step.position)).first().token = "other"

    toy.before_pass = another_takes_over
    with pytest.raises(Ignore):
        run_step(toy.work, batch_id)
    assert toy.written == []


def test_an_item_that_killed_its_worker_each_time_is_quarantined_and_the_rest_goes_on(
    place, batch_id
):
    toy = Toy()
    with place.sessions.begin() as session:  # what three deaths in the middle of item 4 leave
        claim, _ = delivery.claim_step(session, batch_id, "brainstorm", owner="dead", lease_s=-1)
        delivery.add_items(session, claim, SUBJECTS)
        session.flush()
        killer = session.scalars(select(Item).where(Item.subject_id == 4)).one()
        killer.attempts = 3
    run_step(toy.work, batch_id)
    assert items(place)[4].state == ItemState.QUARANTINED
    assert sorted(toy.written) == [1, 2, 3, 5]


def test_items_that_were_tried_before_run_alone(place, batch_id):
    toy = Toy()
    with place.sessions.begin() as session:
        claim, _ = delivery.claim_step(session, batch_id, "brainstorm", owner="dead", lease_s=-1)
        delivery.add_items(session, claim, SUBJECTS)
        session.flush()
        for item in session.scalars(select(Item).where(Item.subject_id <= 2)):
            item.attempts = 1
    run_step(toy.work, batch_id)
    assert toy.passes == [[3, 4, 5], [1], [2]]


def test_a_step_that_is_asked_to_stop_gives_the_rest_back(place, batch_id):
    toy = Toy()
    with place.sessions.begin() as session:
        run = session.scalars(select(Run)).one()
        run.profile = run.profile | {"chain": run.profile["chain"] | {"batch_size": 2}}

    def stop():
        with place.sessions.begin() as session:
            delivery.request_stop(session, "test@here#1")

    toy.before_pass = stop
    with pytest.raises(Ignore):
        run_step(toy.work, batch_id)
    assert toy.written == [1, 2]
    with place.sessions() as session:
        assert session.scalars(select(Batch)).one().rung_at is None
    toy.before_pass = lambda: None
    run_step(toy.work, batch_id)
    assert toy.written == list(SUBJECTS)


def test_a_cancelled_run_is_not_worked_on(place, batch_id):
    with place.sessions.begin() as session:
        session.scalars(select(Run)).one().state = "cancelled"
    toy = Toy()
    with pytest.raises(Ignore):
        run_step(toy.work, batch_id)
    assert not toy.passes


def test_a_run_that_asks_for_other_models_is_left_to_workers_that_have_them(place, batch_id):
    with place.sessions.begin() as session:
        session.scalars(select(Run)).one().models_key = "theirs"
    toy = Toy()
    for key in ("ours", "theirs"):
        resources.use(dataclasses.replace(resources.current(), models_key=key))
        with contextlib.suppress(Ignore):
            run_step(toy.work, batch_id)
        assert bool(toy.written) == (key == "theirs")


def test_the_last_step_ends_the_batch(place, batch_id):
    with place.sessions.begin() as session:
        for step in session.scalars(select(Step).where(Step.position > 0)):
            step.state = StepState.DONE
    run_step(Toy().work, batch_id)
    with place.sessions() as session:
        assert session.scalars(select(Batch)).one().state == BatchState.DONE
