"""A previewed run: its first images are made and judged; all the rest waits for an answer."""

import pytest
from sqlalchemy import select, update

from chatgenimage.db import control, delivery, dispatching
from chatgenimage.db.heartbeats import find_service
from chatgenimage.db.metrics import count_queues
from chatgenimage.db.models import Batch, Run
from chatgenimage.db.preview import HeldWork, is_previewed, measure_held
from chatgenimage.db.quotas import Quota, add_batches
from chatgenimage.db.refusals import explain_refusal
from chatgenimage.db.states import BatchState, RunState
from chatgenimage.db.waits import list_waits
from tests import rows

QUEUES = ("language", "scoring")
CHAIN = (("brainstorm", "language", 0), ("filter", "scoring", 0), ("imagine", "language", 1))
WINDOW = 2
AT_ONCE = -1.0


def plan_steps(batch):
    return [
        {"batch_id": batch.id, "position": position, "name": name, "queue": queue, "round": number}
        for position, (name, queue, number) in enumerate(CHAIN)
    ]


def tick(place, waiting=None):
    """Do what the dispatcher does, and return the batches whose message it would send."""
    with place.sessions.begin() as session:
        dispatching.sweep(
            session, stale_s=AT_ONCE, waiting=waiting or {"language": 9, "scoring": 9}
        )
        dispatching.admit(session, window=WINDOW, queues=QUEUES, plan_steps=plan_steps)
        return [due.batch_id for due in dispatching.take_due(session, window=WINDOW)]


def claim(place, batch_id, name):
    with place.sessions.begin() as session:
        return delivery.claim_step(session, batch_id, name, owner="me", lease_s=60.0)


def work_on(place, batch_id, name):
    """Do a step of a batch; return whether its chain continues by itself."""
    held, _ = claim(place, batch_id, name)
    with place.sessions.begin() as session:
        delivery.finish_step(session, held)
        return dispatching.hand_on(session, batch_id, window=WINDOW)


def make_first_image(place, batch_id):
    """Do round 0 of a batch; return whether its chain continues by itself after that."""
    assert work_on(place, batch_id, "brainstorm")
    return work_on(place, batch_id, "filter")


@pytest.fixture
def first_ids(place):
    """The first batch of each of five labels of a previewed run; each label has a second one."""
    with place.sessions.begin() as session:
        rows.add_run(session, [f"word {number}" for number in range(5)], batches=2)
        session.execute(update(Batch).values(is_held=True))
        return session.scalars(select(Batch.id).where(Batch.index == 0).order_by(Batch.id)).all()


@pytest.fixture
def shown_ids(place, first_ids):
    """The same, after their first images are judged."""
    while due := tick(place):
        for batch_id in due:
            assert not make_first_image(place, batch_id)
    return first_ids


def test_all_first_images_are_made_and_nothing_else(place, shown_ids):
    with place.sessions() as session:
        begun = select(Batch.id).where(Batch.state == BatchState.IN_FLIGHT).order_by(Batch.id)
        assert session.scalars(begun).all() == shown_ids  # more than the window: they block none
        assert is_previewed(session, 1)
        assert measure_held(session, 1) == HeldWork(batches=5, images=5, first_batches=5)
    assert tick(place, waiting={}) == []  # nor does the sweep send anything


def test_a_stale_message_for_an_edit_finds_nothing_to_do(place, shown_ids):
    assert claim(place, shown_ids[0], "imagine") is None
    with place.sessions() as session:
        reason = explain_refusal(session, shown_ids[0], "imagine", None)
    assert reason == "the run waits for the answer to its preview"


def test_a_run_that_waits_for_the_answer_says_so_and_asks_for_no_worker(place, shown_ids):
    with place.sessions() as session:
        assert list_waits(session, 1, AT_ONCE) == [
            "10 batches wait for the answer to the preview of this run"
        ]
        assert find_service(session, session.get_one(Run, 1), QUEUES).unserved == ()
        assert count_queues(session) == {}


def test_after_the_answer_edits_and_other_batches_are_sent(place, shown_ids):
    with place.sessions.begin() as session:
        run = session.get_one(Run, 1)
        control.set_run_state(session, run, RunState.PAUSED)
        assert control.resume(session, run).previewed == 10
        assert measure_held(session, 1) == HeldWork(0, 0, 0)
    assert tick(place) == shown_ids[:WINDOW]
    assert claim(place, shown_ids[0], "imagine") is not None


def test_other_runs_are_worked_on_meanwhile(place, shown_ids):
    with place.sessions.begin() as session:
        other = rows.add_run(session, ["dog"])
        [other_id] = session.scalars(select(Batch.id).where(Batch.run_id == other.id))
    assert tick(place) == [other_id]
    assert make_first_image(place, other_id)  # its edits need no answer


def test_items_that_are_tried_again_do_not_answer_the_preview(place, shown_ids):
    with place.sessions.begin() as session:
        step = rows.current_step(session, shown_ids[0])
        rows.add_item(session, step, 7, state="quarantined", error="boom")
        assert control.retry_quarantined(session, 1) == 1
        assert measure_held(session, 1).first_batches == 5
    assert tick(place) == []


def test_batches_that_a_quota_adds_wait_for_the_answer_too(place, shown_ids):
    with place.sessions.begin() as session:
        label_id = session.get_one(Batch, shown_ids[0]).label_id
        quota = Quota(label_id, "word 0", asked=9, max_images=99, accepted=1, images=2)
        add_batches(session, 1, quota, [3, 4])
        assert measure_held(session, 1) == HeldWork(batches=7, images=12, first_batches=5)
    assert tick(place) == []
