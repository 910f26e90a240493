import pytest
from sqlalchemy import select, update

from chatgenimage.db import control, delivery, dispatching, items
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.run_activity import measure_work
from chatgenimage.db.run_progress import overview
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState
from tests import rows

DURATIONS = {(name, 0): 1.0 for name in rows.CHAIN}


@pytest.fixture
def run_id(place):
    """A run with one batch in flight, its first two steps done, one item quarantined in each."""
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        steps = rows.add_steps(session, session.scalars(select(Batch)).one(), done=4)
        rows.add_item(session, steps[1], 1, state="done")
        rows.add_item(session, steps[1], 2, state="quarantined", error="boom")
        session.scalars(select(Batch)).one().state = BatchState.DONE
        run.state = RunState.DONE
        return run.id


def test_a_retried_item_starts_afresh_and_later_steps_look_for_its_results(place, run_id):
    with place.sessions.begin() as session:
        assert control.retry_quarantined(session, run_id) == 1
    with place.sessions.begin() as session:
        assert session.get_one(Run, run_id).state == RunState.ACTIVE
        states = session.scalars(select(Step.state).order_by(Step.position)).all()
        assert states == [StepState.DONE, StepState.READY, StepState.READY, StepState.READY]
        item = session.scalars(select(Item).where(Item.subject_id == 2)).one()
        assert (item.state, item.attempts, item.error) == (ItemState.READY, 0, None)
        [(_, names, _)] = dispatching.take_due(session, window=9)
        assert names == ["generate", "label", "filter"]


def test_planning_again_adds_only_what_is_new(place, run_id):
    with place.sessions.begin() as session:
        control.retry_quarantined(session, run_id)
        batch_id = session.scalars(select(Batch.id)).one()
        claim, first = delivery.claim_step(session, batch_id, "generate", owner="w", lease_s=9)
        assert first
        items.add_items(session, claim, [1, 2, 3])
        session.flush()
        assert session.scalars(select(Item.subject_id).order_by(Item.id)).all() == [1, 2, 3]


def test_nothing_to_retry_leaves_a_finished_run_finished(place, run_id):
    with place.sessions.begin() as session:
        session.scalars(select(Item).where(Item.subject_id == 2)).one().state = ItemState.DONE
        assert control.retry_quarantined(session, run_id) == 0
        assert session.get_one(Run, run_id).state == RunState.DONE


def test_a_paused_run_is_not_rung_for_until_it_goes_on(place):
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        rows.add_steps(session, session.scalars(select(Batch)).one())
        assert control.set_run_state(session, run, RunState.PAUSED) == RunState.PAUSED
        assert dispatching.take_due(session, window=9) == []
        control.set_run_state(session, run, RunState.ACTIVE)
        assert len(dispatching.take_due(session, window=9)) == 1


def test_a_cancelled_run_keeps_its_true_counts_and_has_an_end(place):
    with place.sessions.begin() as session:
        run = rows.add_run(session, batches=4)
        done, begun, *_ = rows.batches_of(session, run)
        rows.add_item(session, rows.add_steps(session, done, done=4)[0], 1)
        rows.add_item(session, rows.add_steps(session, begun, done=1)[0], 1)
        done.state = BatchState.DONE
        session.execute(update(Item).values(duration_s=1.0))
        before = measure_work(session, run.id, DURATIONS)
        assert control.set_run_state(session, run, RunState.CANCELLED) == RunState.CANCELLED
        counts = overview(session, run.id)
        assert (counts.batches_done, counts.batches_cancelled, counts.batches) == (1, 3, 4)
        assert (counts.batches_waiting, counts.batches_in_flight) == (0, 0)
        assert run.finished_at >= run.created_at
        assert measure_work(session, run.id, DURATIONS) == before
        assert before.share < 1


@pytest.mark.parametrize("over", [RunState.DONE, RunState.CANCELLED])
def test_a_run_that_is_over_stays_over(place, over):
    with place.sessions.begin() as session:
        run = rows.add_run(session, state=over)
        assert control.set_run_state(session, run, RunState.ACTIVE) == over
