import time

import pytest
from sqlalchemy import select

from chatgenimage.db import delivery, dispatching, items
from chatgenimage.db.delivery import LeaseLost
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState
from tests import rows

LEASE_S = 60.0


@pytest.fixture
def batch_id(place):
    """A batch in flight with four steps."""
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        rows.add_steps(session, batch)
        return batch.id


def claim(place, batch_id, name="brainstorm", *, owner="me", lease_s=LEASE_S):
    with place.sessions.begin() as session:
        return delivery.claim_step(session, batch_id, name, owner=owner, lease_s=lease_s)


def fence(place, held):
    with place.sessions.begin() as session:
        return delivery.fence(session, held)


def finish(place, held):
    with place.sessions.begin() as session:
        delivery.fence(session, held)
        return delivery.finish_step(session, held)


def step_named(place, name):
    with place.sessions() as session:
        return session.scalars(select(Step).where(Step.name == name)).one()


def set_run_state(place, state):
    with place.sessions.begin() as session:
        session.scalars(select(Run)).one().state = state


def test_a_step_is_claimed_once(place, batch_id):
    held, is_first = claim(place, batch_id)
    assert is_first
    assert claim(place, batch_id, owner="another") is None
    step = step_named(place, "brainstorm")
    assert (step.state, step.owner, step.attempts) == (StepState.RUNNING, "me", 1)
    assert step.token == held.token


@pytest.mark.parametrize("name", ["generate", "filter", "unheard_of"])
def test_a_message_that_comes_too_early_claims_nothing(place, batch_id, name):
    assert claim(place, batch_id, name) is None


def test_a_message_that_comes_too_late_claims_nothing(place, batch_id):
    finish(place, claim(place, batch_id)[0])
    assert claim(place, batch_id) is None
    assert claim(place, batch_id, "generate") is not None


def test_a_message_for_a_batch_that_is_not_there_claims_nothing(place, batch_id):
    assert claim(place, batch_id + 1) is None


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.CANCELLED])
def test_the_steps_of_a_run_that_was_stopped_are_not_claimed(place, batch_id, state):
    set_run_state(place, state)
    assert claim(place, batch_id) is None
    set_run_state(place, RunState.ACTIVE)
    assert claim(place, batch_id) is not None


def test_a_lapsed_lease_can_be_taken_and_its_old_holder_is_fenced_off(place, batch_id):
    old, _ = claim(place, batch_id, lease_s=-1)
    new, is_first = claim(place, batch_id, owner="another")
    assert not is_first
    with pytest.raises(LeaseLost):
        fence(place, old)
    fence(place, new)
    assert step_named(place, "brainstorm").attempts == 2


def test_nothing_that_was_written_before_a_refused_fence_stays(place, batch_id):
    old, _ = claim(place, batch_id, lease_s=-1)
    claim(place, batch_id)
    with pytest.raises(LeaseLost), place.sessions.begin() as session:  # noqa: PT012
        items.add_items(session, old, [1, 2])
        delivery.fence(session, old)
    with place.sessions() as session:
        assert session.scalars(select(Item)).all() == []


def test_the_fence_extends_the_lease(place, batch_id):
    held, _ = claim(place, batch_id)
    before = step_named(place, "brainstorm").lease_until
    time.sleep(0.02)
    fence(place, held)
    assert step_named(place, "brainstorm").lease_until > before


def test_a_finished_step_is_fenced_off_too(place, batch_id):
    held, _ = claim(place, batch_id)
    finish(place, held)
    with pytest.raises(LeaseLost):
        fence(place, held)


def test_a_step_is_not_finished_while_items_are_open(place, batch_id):
    held, _ = claim(place, batch_id)
    with place.sessions.begin() as session:
        items.add_items(session, held, [1])
    assert not finish(place, held)
    assert step_named(place, "brainstorm").state == StepState.RUNNING
    with place.sessions.begin() as session:
        [item] = items.open_items(session, held)
        items.settle_items(session, held, [item.id], ItemState.QUARANTINED)
    assert finish(place, held)
    assert step_named(place, "brainstorm").state == StepState.DONE


def add_two_items(place, held):
    with place.sessions.begin() as session:
        return [item.id for item in items.add_items(session, held, [1, 2], most=2, worker="me")]


def finish_with(place, held, item_ids):
    with place.sessions.begin() as session:
        return delivery.finish_with(session, held, item_ids)


def test_a_step_is_finished_with_its_last_open_items_and_not_with_a_part_of_them(place, batch_id):
    held, _ = claim(place, batch_id)
    first, second = add_two_items(place, held)
    assert not finish_with(place, held, [first])
    fence(place, held)
    assert finish_with(place, held, [first, second])
    assert step_named(place, "brainstorm").state == StepState.DONE
    assert not finish_with(place, held, [first, second])
    with pytest.raises(LeaseLost):
        fence(place, held)


def test_a_step_is_not_finished_with_its_items_after_another_worker_claimed_it(place, batch_id):
    held, _ = claim(place, batch_id)
    ids = add_two_items(place, held)
    with place.sessions.begin() as session:
        delivery.release_step(session, held)
    claim(place, batch_id)
    assert not finish_with(place, held, ids)
    assert step_named(place, "brainstorm").state == StepState.RUNNING


def stop_step(session):
    delivery.request_stop(session, "me")


def pause_run(session):
    session.scalars(select(Run)).one().state = RunState.PAUSED


@pytest.mark.parametrize("stop", [stop_step, pause_run])
def test_a_step_is_not_finished_with_its_items_after_it_was_stopped(place, batch_id, stop):
    held, _ = claim(place, batch_id)
    ids = add_two_items(place, held)
    with place.sessions.begin() as session:
        stop(session)
    assert not finish_with(place, held, ids)
    assert not fence(place, held)


def test_the_batch_is_done_with_its_last_step(place, batch_id):
    for name in rows.CHAIN:
        with place.sessions() as session:
            assert session.get_one(Batch, batch_id).state == BatchState.IN_FLIGHT
        finish(place, claim(place, batch_id, name)[0])
        with place.sessions.begin() as session:
            assert dispatching.hand_on(session, batch_id, window=1)
    with place.sessions() as session:
        assert session.get_one(Batch, batch_id).state == BatchState.DONE
        assert rows.current_step(session, batch_id) is None


def test_a_step_that_was_given_back_waits_as_long_as_was_said(place, batch_id):
    held, _ = claim(place, batch_id)
    with place.sessions.begin() as session:
        delivery.release_step(session, held, delay_s=60, error="busy")
    assert claim(place, batch_id) is None
    step = step_named(place, "brainstorm")
    assert (step.state, step.token, step.error) == (StepState.READY, None, "busy")
    with place.sessions.begin() as session:
        session.get_one(Step, held.step_id).run_after = 0.0
    assert claim(place, batch_id) is not None


def test_who_lost_a_step_cannot_give_it_back(place, batch_id):
    old, _ = claim(place, batch_id, lease_s=-1)
    new, _ = claim(place, batch_id)
    with place.sessions.begin() as session:
        delivery.release_step(session, old)
    fence(place, new)


def test_a_holder_goes_on_until_it_or_its_run_is_stopped(place, batch_id):
    held, _ = claim(place, batch_id)

    assert fence(place, held)
    set_run_state(place, RunState.PAUSED)
    assert not fence(place, held)
    set_run_state(place, RunState.ACTIVE)
    with place.sessions.begin() as session:
        delivery.request_stop(session, "somebody else")
    assert fence(place, held)
    with place.sessions.begin() as session:
        delivery.request_stop(session, "me")
    assert not fence(place, held)


def test_a_request_to_stop_does_not_outlive_the_claim(place, batch_id):
    held, _ = claim(place, batch_id)
    with place.sessions.begin() as session:
        delivery.request_stop(session, "me")
        delivery.release_step(session, held)
    again, _ = claim(place, batch_id)
    assert fence(place, again)


def test_the_dead_and_the_late_are_released_and_the_living_are_not(place):
    with place.sessions.begin() as session:
        rows.add_run(session, batches=3)
        batches = session.scalars(select(Batch).order_by(Batch.id)).all()
        for batch in batches:
            rows.add_steps(session, batch)
            batch.rung_at = time.time()
    late, dead, living = (batch.id for batch in batches)
    claim(place, late, lease_s=-1)
    claim(place, dead, owner="dead")
    held, _ = claim(place, living, owner="living")
    with place.sessions.begin() as session:
        assert sorted(delivery.list_owners(session)) == ["dead", "living", "me"]
        assert delivery.release_expired(session, ["dead"]) == 2
    fence(place, held)
    with place.sessions() as session:
        rung = {batch.id for batch in session.scalars(select(Batch)) if batch.rung_at}
    assert rung == {living}
