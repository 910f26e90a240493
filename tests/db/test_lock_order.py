"""Transactions that meet at real locks of PostgreSQL: none is ended as a deadlock."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from chatgenimage.db import control, delivery, dispatching, spending
from chatgenimage.db.models import Batch, Run, Step
from chatgenimage.db.run_completion import hold_finished, measure_progress
from chatgenimage.db.states import BatchState, RunState, StepState
from tests import rows
from tests.blocked import BLOCKED

PATIENCE_S = 120


@pytest.fixture
def place(postgres_place):
    """A migrated PostgreSQL database: SQLite has one writer at a time."""
    return postgres_place


@pytest.fixture
def threads():
    """Threads for the transactions that meet."""
    with ThreadPoolExecutor() as executor:
        yield executor


@pytest.fixture
def start(place, threads):
    """Start a change in a transaction of its own; return once it ended or waits for a lock."""
    started = []

    def begin(change):
        def write():
            with place.sessions.begin() as session:
                return change(session)

        started.append(threads.submit(write))
        deadline = time.monotonic() + PATIENCE_S
        while not started[-1].done() and count_blocked() < len(started):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return started[-1]

    def count_blocked():
        with place.sessions() as session:
            ended = sum(each.done() for each in started)
            return session.scalar(BLOCKED) + ended

    return begin


@pytest.fixture
def run_id(place):
    """A run with three batches in flight; their first step is done."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, batches=3, budget=5.0)
        for batch in rows.batches_of(session, run):
            rows.add_steps(session, batch, done=1)
            batch.rung_at = 9.0
        return run.id


def first_batch(session):
    return session.scalars(select(Batch.id).order_by(Batch.id).limit(1)).one()


def claim(place, batch_id, owner="me"):
    with place.sessions.begin() as session:
        taken = delivery.claim_step(session, batch_id, "generate", owner=owner, lease_s=60)
        return taken[0]


def give_more(session, run_id):
    run = session.get_one(Run, run_id)
    run.budget = 9.0
    session.flush()
    return run


def get_state(place, model, row_id):
    with place.sessions() as session:
        return session.get_one(model, row_id).state


def test_a_worker_gives_its_step_back_while_a_sweep_takes_it_for_dead(place, run_id, start):
    with place.sessions() as session:
        batch_id = first_batch(session)
    held = claim(place, batch_id)
    with place.sessions.begin() as worker:
        delivery.fence(worker, held)
        sweep = start(
            lambda session: dispatching.sweep(session, stale_s=9, waiting={}, dead_owners=["me"])
        )
        delivery.release_step(worker, held, error="full")
    sweep.result(PATIENCE_S)
    with place.sessions() as session:
        assert session.get_one(Step, held.step_id).error == "full"


def test_a_run_is_resumed_while_a_worker_claims_a_paid_step_of_it(place, run_id, start):
    with place.sessions.begin() as session:
        batch_id = first_batch(session)
        session.execute(update(Step).values(run_after=1.0))
    with place.sessions.begin() as worker:
        claimed, _ = delivery.claim_step(worker, batch_id, "generate", owner="me", lease_s=60)
        resumed = start(lambda session: control.resume(session, give_more(session, run_id)))
        assert spending.affordable_items(worker, run_id, claimed.step_id, 4, ["q"]) == 1
    assert resumed.result(PATIENCE_S).waited == 5 + 3


def test_items_of_a_paused_run_are_retried_while_a_worker_pays_and_ends(place, run_id, start):
    with place.sessions.begin() as session:
        batch_id = first_batch(session)
        done = session.scalars(select(Step).where(Step.batch_id == batch_id, Step.position == 0))
        rows.add_item(session, done.one(), 1, state="quarantined", error="boom")
    held = claim(place, batch_id)
    with place.sessions.begin() as session:
        session.get_one(Run, run_id).state = RunState.PAUSED
    with place.sessions.begin() as worker:
        delivery.fence(worker, held)
        spending.spend(worker, run_id, 0.1)
        retried = start(lambda session: control.retry_quarantined(session, run_id))
        delivery.finish_step(worker, held)
        dispatching.hand_on(worker, batch_id, window=9)
    assert retried.result(PATIENCE_S) == 1


def test_a_run_is_cancelled_while_a_dispatcher_sends_lost_messages_again(place, run_id, start):
    with place.sessions.begin() as session:
        first, second, third = rows.batches_of(session, session.get_one(Run, run_id))
        third.rung_at, first.rung_at = 1.0, 2.0
    with place.sessions.begin() as other:
        other.execute(select(Batch.id).where(Batch.id == second.id).with_for_update())
        cancelled = start(
            lambda session: control.set_run_state(
                session, session.get_one(Run, run_id), RunState.CANCELLED
            )
        )
        sweep = start(lambda session: dispatching.sweep(session, stale_s=9, waiting={}))
    assert cancelled.result(PATIENCE_S) == RunState.CANCELLED
    sweep.result(PATIENCE_S)


def test_a_run_that_another_person_cancels_meanwhile_is_not_resumed(place, run_id, start):
    with place.sessions.begin() as session:
        run = session.get_one(Run, run_id)
        control.set_run_state(session, run, RunState.CANCELLED)
        resumed = start(
            lambda other: control.set_run_state(other, other.get_one(Run, run_id), RunState.ACTIVE)
        )
    assert resumed.result(PATIENCE_S) == RunState.CANCELLED
    assert get_state(place, Run, run_id) == RunState.CANCELLED


def test_a_run_whose_items_are_retried_meanwhile_is_not_ended(place, run_id, start):
    with place.sessions.begin() as session:
        session.execute(update(Step).values(state=StepState.DONE))
        session.execute(update(Batch).values(state=BatchState.DONE))
        step = session.scalars(select(Step).order_by(Step.id).limit(1)).one()
        rows.add_item(session, step, 1, state="quarantined", error="boom")
        seen = measure_progress(session, run_id)
    with place.sessions.begin() as session:
        assert control.retry_quarantined(session, run_id) == 1
        ended = start(lambda other: hold_finished(other, run_id, seen))
    assert ended.result(PATIENCE_S) is False
