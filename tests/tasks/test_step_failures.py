"""Steps that fail as a whole, by a time limit, without a database, or when their lease ends."""

import contextlib
import dataclasses
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from chatgenimage.db import control, delivery
from chatgenimage.db.models import Run
from chatgenimage.db.session import engine_of
from chatgenimage.db.states import WHOLE_STEP, ItemState, StepState
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.step import ChainEnds, run_step
from tests.tasks.toy import SUBJECTS, Toy, first_step, items_of

TIMES_AWAY = 2
"""For the write of a pass, and for the first try to put its step back."""


def broken(_session, _step):
    raise KeyError("missing score")


def run_to_the_end(work, batch_id):
    """Process messages until the chain continues; return how many were needed."""
    for tries in range(1, 9):
        with contextlib.suppress(ChainEnds):
            run_step(work, batch_id)
            return tries
    raise AssertionError("it waits for ever")


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_fails_each_time_is_given_up_and_the_chain_goes_on(place, toy_batch, part):
    assert run_to_the_end(dataclasses.replace(Toy().work, **{part: broken}), toy_batch) == 3
    assert first_step(place).state == StepState.DONE
    whole = items_of(place).pop(WHOLE_STEP)
    assert (whole.state, whole.attempts) == (ItemState.QUARANTINED, 3)
    assert "KeyError: 'missing score'" in whole.error
    assert whole.worker == "test@here#1"
    assert whole.inputs["batch_id"] == toy_batch


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_was_given_up_is_done_in_full_when_it_is_tried_again(place, toy_batch, part):
    toy = Toy()
    run_to_the_end(dataclasses.replace(toy.work, **{part: broken}), toy_batch)
    with place.sessions.begin() as session:
        run_id = session.scalars(select(Run.id)).one()
        assert control.retry_quarantined(session, run_id) == 1
    assert run_to_the_end(toy.work, toy_batch) == 1
    assert {item.state for item in items_of(place).values()} == {ItemState.DONE}
    assert toy.passes == [list(SUBJECTS)]  # what was computed before is not computed again


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_fails_once_waits_with_its_error_and_is_then_done(place, toy_batch, part):
    toy = Toy()
    with pytest.raises(ChainEnds):
        run_step(dataclasses.replace(toy.work, **{part: broken}), toy_batch)
    step = first_step(place)
    assert (step.state, step.error) == (StepState.READY, "'missing score'")
    run_step(toy.work, toy_batch)
    assert first_step(place).state == StepState.DONE
    assert {item.state for item in items_of(place).values()} == {ItemState.DONE}
    assert toy.passes == [list(SUBJECTS)]


def test_a_database_that_is_away_while_a_step_is_planned_is_no_fault_of_the_step(place, toy_batch):
    def away(_session, _step):
        raise OperationalError("select 1", {}, Exception("gone"))

    toy = Toy()
    for _ in range(4):
        with pytest.raises(ChainEnds):
            run_step(dataclasses.replace(toy.work, plan=away), toy_batch)
    run_step(toy.work, toy_batch)
    assert set(items_of(place)) == set(SUBJECTS)


def test_a_pass_that_hits_the_time_limit_is_tried_item_by_item(place, toy_batch):
    toy = Toy(failing=SUBJECTS, error=SoftTimeLimitExceeded())
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    assert toy.passes == [list(SUBJECTS)]
    assert first_step(place).state == StepState.READY
    toy.failing = set()
    run_step(toy.work, toy_batch)
    assert toy.passes[1:] == [[1], [2], [3], [4], [5]]


def test_a_database_that_goes_away_for_a_moment_costs_no_attempt(place, toy_batch):
    toy = Toy()
    engine = engine_of(place.sessions)
    creator = engine.pool._creator  # noqa: SLF001  # what a server that is away looks like
    times = iter(range(TIMES_AWAY))

    def away(*arguments):
        if next(times, None) is None:
            engine.pool._creator = creator  # noqa: SLF001
            return creator(*arguments)
        raise engine.dialect.loaded_dbapi.OperationalError("the server is away")

    def go_away():
        engine.dispose()
        engine.pool._creator = away  # noqa: SLF001

    toy.before_pass = go_away
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    assert next(times, None) is None
    step = first_step(place)
    assert (step.state, "away" in step.error) == (StepState.READY, True)
    assert {item.attempts for item in items_of(place).values()} == {0}


def test_a_worker_that_cannot_renew_its_lease_starts_nothing_more(place, toy_batch):
    """Its own clock shows that, even while the database does not answer."""
    held = claim(place, toy_batch)
    assert not Heartbeat(place.sessions, held, every_s=60).lost
    long_ago = dataclasses.replace(held, claimed_at=held.claimed_at - 1.5 * held.lease_s)
    assert Heartbeat(place.sessions, long_ago, every_s=60).lost


def test_a_lease_is_not_renewed_for_longer_than_a_step_may_take(place, toy_batch):
    """What hangs while it is written has no time limit of Celery's."""
    held = claim(place, toy_batch)
    before = first_step(place).lease_until
    Heartbeat(place.sessions, held, every_s=0.0, longest_s=0.0).beat()
    assert first_step(place).lease_until == before
    Heartbeat(place.sessions, held, every_s=0.0).beat()
    assert first_step(place).lease_until > before


def test_a_lease_is_renewed_while_the_models_compute(place, toy_batch):
    held = claim(place, toy_batch)
    before = first_step(place).lease_until
    deadline = time.monotonic() + 120
    with Heartbeat(place.sessions, held, every_s=0.02) as heartbeat:
        while first_step(place).lease_until == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not heartbeat.lost
    assert first_step(place).lease_until > before


def claim(place, batch_id):
    with place.sessions.begin() as session:
        held, _ = delivery.claim_step(session, batch_id, "brainstorm", owner="me", lease_s=60)
    return held
