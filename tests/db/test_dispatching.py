import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from chatgenimage.db import control, delivery, dispatching, run_completion
from chatgenimage.db.models import Batch, Label, Run, Step
from chatgenimage.db.states import BatchState, RunState, StepState
from tests import rows

QUEUES = ("language", "diffusion")
CHAIN = (("brainstorm", "language"), ("generate", "diffusion"), ("imagine", "language"))


def plan_steps(batch):
    return [
        {"batch_id": batch.id, "position": position, "name": name, "queue": queue, "round": 0}
        for position, (name, queue) in enumerate(CHAIN)
    ]


def decide(session, *, window=8, stale_s=100.0, waiting=None, dead_owners=()):
    dispatching.sweep(session, stale_s=stale_s, waiting=waiting or {}, dead_owners=dead_owners)
    dispatching.admit(session, window=window, queues=QUEUES, plan_steps=plan_steps)
    due = dispatching.take_due(session, window=window)
    for run_id in run_completion.list_finished(session):
        run_completion.end_run(session, run_id)
    return [batch_id for batch_id, *_ in due]


def tick(place, **how):
    """Do what the dispatcher does, and return the batches whose message it would send."""
    with place.sessions.begin() as session:
        return decide(session, **how)


@pytest.fixture
def batch_id(place):
    """The waiting batch of a run."""
    with place.sessions.begin() as session:
        rows.add_run(session)
        return session.scalars(select(Batch.id)).one()


def add_batches(place, count, **columns):
    """Add a run with `count` batches, each of its own label, and return their ids."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, [f"word {number}" for number in range(count)], **columns)
        batches = select(Batch.id).where(Batch.run_id == run.id).order_by(Batch.id)
        return list(session.scalars(batches))


def work_on(place, batch_id, *, window=8, **claimed):
    """Do a batch's current step; return whether its chain continues by itself."""
    held = claim(place, batch_id, **claimed)
    with place.sessions.begin() as session:
        delivery.finish_step(session, held)
        return dispatching.hand_on(session, batch_id, window=window)


def claim(place, batch_id, *, owner="me", lease_s=60.0):
    with place.sessions.begin() as session:
        name = rows.current_step(session, batch_id).name
        held, _ = delivery.claim_step(session, batch_id, name, owner=owner, lease_s=lease_s)
        return held


def queue_lengths(place):
    """Return the number of messages in a broker that lost none."""
    with place.sessions() as session:
        lengths = Counter()
        for batch in session.scalars(select(Batch).where(Batch.rung_at.is_not(None))):
            step = rows.current_step(session, batch.id)
            if step is not None and step.state == StepState.READY:
                lengths[step.queue] += 1
        return lengths


def test_a_ring_names_the_steps_that_are_left(place, batch_id):
    with place.sessions.begin() as session:
        dispatching.admit(session, window=1, queues=QUEUES, plan_steps=plan_steps)
        names = [name for name, _ in CHAIN]
        told = ["run 1 · dog · batch 0 · round 0"] * 3
        assert dispatching.take_due(session, window=1) == [(batch_id, names, told)]
        assert dispatching.take_due(session, window=1) == []
    work_on(place, batch_id)
    with place.sessions.begin() as session:
        session.get_one(Batch, batch_id).rung_at = None
        session.flush()
        assert dispatching.take_due(session, window=1) == [(batch_id, names[1:], told[1:])]


def test_a_ring_tells_a_long_label_short(place, batch_id):
    with place.sessions.begin() as session:
        session.scalars(select(Label)).one().name = "d" * 200
        dispatching.admit(session, window=1, queues=QUEUES, plan_steps=plan_steps)
        [due] = dispatching.take_due(session, window=1)
    assert due.descriptions[0] == f"run 1 · {'d' * 39}… · batch 0 · round 0"


def test_the_window_of_the_opening_queue_is_kept_and_filled_again(place):
    batch_ids = add_batches(place, 5)
    assert tick(place, window=2) == batch_ids[:2]
    assert tick(place, window=2) == []
    work_on(place, batch_ids[0])
    assert tick(place, window=2) == batch_ids[2:3]


def test_a_full_queue_holds_chains_back_and_leaves_the_other_queues_their_work(place):
    batch_ids = add_batches(place, 5)
    tick(place, window=1)
    assert work_on(place, batch_ids[0], window=1)  # its next queue, diffusion, is now full
    assert tick(place, window=1) == batch_ids[1:2]  # the language queue has room
    assert not work_on(place, batch_ids[1], window=1)
    assert tick(place, window=1) == []  # no other batch is admitted: enough are in flight
    assert queue_lengths(place) == {"diffusion": 1}
    assert work_on(place, batch_ids[0], window=1)  # diffusion has room for the one held back
    assert tick(place, window=1) == batch_ids[1:2]


def test_urgent_runs_go_first_then_urgent_batches_then_the_oldest(place):
    dog, house, tree = add_batches(place, 3)
    [cat] = add_batches(place, 1, priority=5)
    with place.sessions.begin() as session:
        session.get_one(Batch, tree).priority = 1
    order = [batch for window in range(1, 5) for batch in tick(place, window=window)]
    assert order == [cat, tree, dog, house]


def test_the_batches_of_a_label_open_one_after_the_other_and_labels_take_turns(place):
    with place.sessions.begin() as session:
        rows.add_run(session, ("dog", "house"), batches=3)
        dog_0, dog_1, _, house_0, house_1, _ = session.scalars(select(Batch.id).order_by(Batch.id))
    assert tick(place) == [dog_0, house_0]
    assert tick(place) == []
    work_on(place, house_0)
    assert tick(place) == [house_1]
    with place.sessions.begin() as session:
        session.get_one(Batch, dog_0).state = BatchState.DONE
    assert tick(place) == [dog_1]


def test_an_urgent_run_need_not_wait_for_what_is_in_flight(place):
    slow = add_batches(place, 3)
    for batch_id in (slow[0], slow[1]):
        tick(place, window=1)
        work_on(place, batch_id, window=1)
    assert tick(place, window=1) == []  # one queued and one held back: the maximum in flight
    urgent = add_batches(place, 1, priority=5)
    assert tick(place, window=1) == urgent
    assert not work_on(place, urgent[0], window=1)
    assert work_on(place, slow[0], window=1)
    assert tick(place, window=1) == urgent  # before the one that was held back earlier


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.CANCELLED])
def test_runs_that_were_stopped_are_neither_admitted_nor_rung_for(place, batch_id, state):
    with place.sessions.begin() as session:
        rows.add_run(session, state=state)
        control.set_run_state(session, session.get_one(Run, 1), state)
    assert tick(place) == []


def test_a_paused_run_leaves_the_window_to_the_others(place, batch_id):
    tick(place, window=1)
    with place.sessions.begin() as session:
        control.set_run_state(session, session.scalars(select(Run)).one(), RunState.PAUSED)
    assert tick(place, window=1, waiting=queue_lengths(place)) == []
    other = add_batches(place, 1)
    assert tick(place, window=1) == other


def test_a_run_that_asks_for_other_models_is_not_rung_for(place):
    with place.sessions.begin() as session:
        rows.add_run(session, models_key="theirs")
        options = {"window": 9, "queues": QUEUES, "plan_steps": plan_steps}
        assert dispatching.admit(session, **options, models_key="ours") == 0
        assert dispatching.admit(session, **options, models_key="theirs") == 1
        assert dispatching.take_due(session, window=9, models_key="ours") == []
        assert len(dispatching.take_due(session, window=9, models_key="theirs")) == 1


def test_a_queue_may_be_long_for_as_long_as_it_likes(place):
    batch_ids = add_batches(place, 3)
    assert tick(place) == batch_ids
    assert tick(place, stale_s=-1, waiting=queue_lengths(place)) == []


def test_as_many_are_rung_for_again_as_the_broker_forgot(place):
    batch_ids = add_batches(place, 4)
    tick(place)
    with place.sessions.begin() as session:
        for age_s, batch_id in enumerate(batch_ids):
            rung_at = time.time() - age_s
            session.execute(update(Batch).where(Batch.id == batch_id).values(rung_at=rung_at))
    assert tick(place, stale_s=-1, waiting={"language": 3}) == batch_ids[-1:]  # the oldest
    assert tick(place, stale_s=100, waiting={"language": 1}) == []  # may be on their way
    assert sorted(tick(place, stale_s=-1)) == batch_ids  # the broker lost all messages


def test_what_somebody_works_on_is_not_rung_for_again(place, batch_id):
    tick(place)
    claim(place, batch_id)
    assert tick(place, stale_s=-1) == []


def test_what_a_dead_or_silent_worker_left_lying_is_rung_for_again(place, batch_id):
    tick(place)
    claim(place, batch_id, lease_s=-1)
    assert tick(place) == [batch_id]
    claim(place, batch_id, owner="gone")
    assert tick(place) == []
    assert tick(place, dead_owners=["gone"]) == [batch_id]


def test_what_waits_for_better_times_is_not_rung_for_before(place, batch_id):
    tick(place)
    held = claim(place, batch_id)
    with place.sessions.begin() as session:
        delivery.release_step(session, held, delay_s=60)
    assert tick(place) == []
    with place.sessions.begin() as session:
        session.get_one(Step, held.step_id).run_after = 0.0
    assert tick(place) == [batch_id]


def test_a_run_is_done_with_its_last_batch(place, batch_id):
    tick(place)
    for _ in CHAIN:
        tick(place, waiting={"language": 1, "diffusion": 1})
        with place.sessions() as session:
            assert session.get_one(Run, 1).state == RunState.ACTIVE
        work_on(place, batch_id)
    tick(place)
    with place.sessions() as session:
        run = session.get_one(Run, 1)
        assert (run.state, run.finished_at is not None) == (RunState.DONE, True)


def test_two_dispatchers_at_once_ring_once_for_each_and_keep_the_window(place):
    batch_ids = add_batches(place, 40)
    rung = []

    def dispatch():
        for _ in range(10):
            with place.sessions.begin() as session:
                if dispatching.take_turn(session):
                    rung.extend(decide(session, window=30))

    with ThreadPoolExecutor(2) as pool:
        for dispatcher in [pool.submit(dispatch), pool.submit(dispatch)]:
            dispatcher.result()
    assert sorted(rung) == batch_ids[:30]


def test_a_second_dispatcher_waits_for_its_turn_on_postgres(postgres_place):
    with postgres_place.sessions.begin() as first, postgres_place.sessions.begin() as second:
        assert dispatching.take_turn(first)
        assert not dispatching.take_turn(second)
        first.rollback()
        assert dispatching.take_turn(second)


def test_what_is_being_finished_is_passed_over_and_not_waited_for_on_postgres(postgres_place):
    batch_ids = add_batches(postgres_place, 2)
    tick(postgres_place)
    with postgres_place.sessions.begin() as session:
        session.execute(update(Batch).values(rung_at=None))
    with postgres_place.sessions.begin() as worker:
        worker.get_one(Batch, batch_ids[0], with_for_update=True)
        with postgres_place.sessions.begin() as session:
            assert [due.batch_id for due in dispatching.take_due(session, window=9)] == batch_ids[
                1:
            ]


def test_the_batches_of_a_cancelled_run_end_at_once(place):
    add_batches(place, 3)
    tick(place, window=1)
    with place.sessions.begin() as session:
        run = session.scalars(select(Run)).one()
        control.set_run_state(session, run, RunState.CANCELLED)
    assert tick(place) == []
    with place.sessions() as session:
        assert set(session.scalars(select(Batch.state))) == {BatchState.CANCELLED}
        assert session.get_one(Run, run.id).state == RunState.CANCELLED
