"""The first snapshot of a run that began a while ago."""

import pytest
from sqlalchemy import select, update

from chatgenimage.db.clock import now
from chatgenimage.db.models import Batch, Candidate, Item, Run
from chatgenimage.factory.progress.snapshot import RunMonitor
from tests import rows

AGE_S = 60.0


@pytest.fixture
def run_id(place):
    """A run of a minute: one batch is done, another is not; and a batch of ten minutes ago."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, batches=2)
        done, begun = session.scalars(select(Batch).order_by(Batch.id))
        steps = rows.add_steps(session, done, done=4)
        for step in (*steps, rows.add_steps(session, begun, done=1)[0]):
            rows.add_item(session, step, 1)
        for step in steps:
            step.finished_at = now(session) - 1.0
        rows.add_family(place, session, done)
        session.execute(update(Item).values(duration_s=6.0))
        session.execute(update(Run).values(created_at=now(session) - AGE_S))
        return run.id


def test_rates_and_the_time_left_are_known_at_once_from_stored_times(place, run_id):
    first = RunMonitor(place.sessions, run_id).look()
    assert first.images_per_min == pytest.approx(3, rel=0.1)
    assert first.accepted_per_min == pytest.approx(1, rel=0.1)  # of round 0: its filter is done
    assert first.eta_s == pytest.approx(3 * 6.0 * AGE_S / (4 * 6.0), rel=0.1)


def test_a_run_that_takes_long_to_read_is_read_less_often(place, run_id):
    monitor = RunMonitor(place.sessions, run_id, slow_s=0.0, patience=1000)
    assert monitor.look() is monitor.look()
    other = RunMonitor(place.sessions, run_id, slow_s=0.0, patience=0)
    assert other.look() is not other.look()


def test_what_was_made_long_ago_does_not_count(place, run_id):
    with place.sessions.begin() as session:
        session.execute(update(Candidate).values(created_at=now(session) - 600))
        session.execute(update(Run).values(created_at=now(session) - 900))
    assert RunMonitor(place.sessions, run_id).look().images_per_min == 0


def test_a_run_that_just_began_has_no_rates(place, run_id):
    with place.sessions.begin() as session:
        session.execute(update(Run).values(created_at=now(session)))
    assert RunMonitor(place.sessions, run_id).look().images_per_min is None
