"""Reasons why a run makes no progress."""

from sqlalchemy import select, update

from chatgenimage.db import delivery
from chatgenimage.db.dispatching import take_turn
from chatgenimage.db.models import Batch, Run, Step
from chatgenimage.db.waits import find_turn_holder, list_waits
from tests.db.test_dispatching import add_batches, claim, tick

NEVER = 3600.0
AT_ONCE = -1.0


def waits(place, longer_s=AT_ONCE):
    with place.sessions() as session:
        return list_waits(session, session.scalars(select(Run.id)).one(), longer_s)


def test_a_run_that_waits_says_for_what(place):
    [batch_id, _] = add_batches(place, 2)
    assert waits(place) == ["2 batches have not started: no dispatcher for the models of this run"]
    tick(place)
    assert waits(place) == ["2 batches: no worker takes messages from the queue language"]
    assert waits(place, NEVER) == []
    held = claim(place, batch_id)
    assert waits(place) == []  # a worker works
    with place.sessions.begin() as session:
        delivery.release_step(session, held, delay_s=NEVER, error="No space left on device")
        session.execute(update(Batch).where(Batch.id != batch_id).values(rung_at=None))
    assert set(waits(place)) == {
        "1 batch: the step brainstorm waits for another try after: No space left on device",
        "1 batch: no dispatcher sends a message for the step brainstorm",
    }
    with place.sessions.begin() as session:
        session.execute(update(Run).values(state="paused"))
        assert session.scalars(select(Step.id)).all()
    assert waits(place) == []


def test_the_holder_of_the_dispatchers_turn_is_named(postgres_place):
    with postgres_place.sessions() as other:
        assert find_turn_holder(other) is None
    with postgres_place.sessions.begin() as holder, postgres_place.sessions() as other:
        assert take_turn(holder)
        assert not take_turn(other)
        assert "server process" in find_turn_holder(other)
