"""A run keeps to the weights that its first images came from."""

import dataclasses

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch
from chatgenimage.db.states import StepState
from chatgenimage.tasks import resources
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.values import ModelIdentity
from tests import rows
from tests.tasks.toy import SUBJECTS, Toy, first_step

BEGUN_WITH = {"family": "stable_diffusion", "checkpoint": "mine", "revision": "old"}


@dataclasses.dataclass(frozen=True)
class Painter:
    identity: ModelIdentity


def work_with(revision, checkpoint="mine"):
    """Make this process a worker whose painter has these weights."""
    painter = Painter(ModelIdentity("stable_diffusion", checkpoint, revision))
    here = dataclasses.replace(resources.current(), families=(painter,), verified_runs=set())
    resources.use(here)


@pytest.fixture
def begun(place, toy_batch):
    """A batch of a run that has an image already."""
    with place.sessions.begin() as session:
        batch = session.get_one(Batch, toy_batch)
        candidate = rows.add_candidate(place, session, batch)
        candidate.model, candidate.labelled_by = BEGUN_WITH, None
    return toy_batch


def test_a_worker_with_other_weights_leaves_the_step_alone_and_says_why(place, begun):
    work_with("new")
    toy = Toy()
    with pytest.raises(ChainEnds):
        run_step(toy.work, begun)
    step = first_step(place)
    assert (step.state, step.token, toy.written) == (StepState.READY, None, [])
    for part in ("stable_diffusion (mine)", "revision old", "this worker has new"):
        assert part in step.error
    work_with("old")
    run_step(toy.work, begun)
    assert sorted(toy.written) == list(SUBJECTS)


def test_another_checkpoint_of_the_same_family_is_no_change(place, begun):
    work_with("new", checkpoint="another")
    toy = Toy()
    run_step(toy.work, begun)
    assert sorted(toy.written) == list(SUBJECTS)


def test_weights_that_changed_are_seen_in_what_labelled_the_images(place, toy_batch):
    with place.sessions.begin() as session:
        batch = session.get_one(Batch, toy_batch)
        candidate = rows.add_candidate(place, session, batch)
        candidate.labelled_by = {"detector": BEGUN_WITH}
    work_with("new")
    with pytest.raises(ChainEnds):
        run_step(Toy().work, toy_batch)
    with place.sessions() as session:
        assert session.scalars(select(Batch)).one().rung_at is None  # it is queued again
