"""Heartbeats of workers, and the queues of a run that no worker serves, on both databases."""

import pytest
from sqlalchemy import select, update

from chatgenimage.db import heartbeats
from chatgenimage.db.heartbeats import Service, find_service
from chatgenimage.db.models import Batch, LiveWorker, Run, Step
from chatgenimage.db.states import RunState, StepState
from tests import rows

QUEUES = ("language", "diffusion", "labeling")
KEY = "these models"


@pytest.fixture
def run_id(place):
    """A run whose only batch waits for the queue diffusion."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, models_key=KEY)
        steps = rows.add_steps(session, rows.batch_of(session, run), done=1)
        for step, queue in zip(steps, QUEUES, strict=False):
            step.queue = queue
        return run.id


def service(place, run_id):
    with place.sessions() as session:
        return find_service(session, session.get_one(Run, run_id), QUEUES)


def beat(place, name="all@box#1", queues=QUEUES, key=KEY, *, is_ready=None):
    with place.sessions.begin() as session:
        heartbeats.beat(session, name, queues, key, is_ready=is_ready)


def test_a_queue_is_served_by_a_live_worker_with_the_models_of_the_run(place, run_id):
    assert service(place, run_id) == Service(("diffusion",))
    beat(place, "labeling@box#2", ["labeling"])
    beat(place, "all@box#3", key="other models")
    assert service(place, run_id) == Service(("diffusion",), loading=1)
    beat(place)
    assert service(place, run_id) == Service((), loading=2)
    with place.sessions.begin() as session:
        heartbeats.note_ready(session, "all@box#1")
    beat(place)
    assert service(place, run_id) == Service((), loading=1, ready=1)


def test_a_worker_that_is_silent_or_has_ended_serves_nothing(place, run_id):
    beat(place)
    with place.sessions.begin() as session:
        session.execute(update(LiveWorker).values(beat_at=LiveWorker.beat_at - 60))
    assert service(place, run_id).unserved == ("diffusion",)
    beat(place)
    with place.sessions.begin() as session:
        heartbeats.remove(session, "all@box#1")
    assert service(place, run_id).unserved == ("diffusion",)


def test_a_run_that_has_not_begun_needs_every_queue(place):
    with place.sessions.begin() as session:
        run_id = rows.add_run(session, models_key=KEY).id
    assert service(place, run_id).unserved == QUEUES


def test_a_step_that_a_worker_holds_needs_no_other(place, run_id):
    with place.sessions.begin() as session:
        step = session.scalars(select(Step).where(Step.position == 1)).one()
        step.state = StepState.RUNNING
    assert service(place, run_id).unserved == ()


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.DONE, RunState.CANCELLED])
def test_a_run_that_is_not_active_needs_nobody(place, run_id, state):
    with place.sessions.begin() as session:
        session.get_one(Run, run_id).state = state
        session.execute(update(Batch).values(rung_at=None))
    assert service(place, run_id) == Service()
