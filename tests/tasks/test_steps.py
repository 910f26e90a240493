"""All steps of a batch in order, with the micro checkpoints and a new database."""

import dataclasses

import pytest
from sqlalchemy import func, select

from chatgenimage.db import dispatching
from chatgenimage.db.models import (
    Batch,
    Candidate,
    Item,
    Label,
    LlmCall,
    Placement,
    Prompt,
    Scene,
    Step,
)
from chatgenimage.db.states import SURPLUS, BatchState, ItemState, StepState, Verdict
from chatgenimage.factory.processes.dispatcher import plan_steps
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from chatgenimage.tasks import resources
from chatgenimage.tasks.brainstorm import BRAINSTORM
from chatgenimage.tasks.chain import QUEUE_NAMES
from chatgenimage.tasks.edit import EDIT, IMAGINE
from chatgenimage.tasks.fill import FILL, PLACE
from chatgenimage.tasks.filter import FILTER
from chatgenimage.tasks.generate import GENERATE
from chatgenimage.tasks.label import LABEL
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers import boxes

WORKS = {
    work.name: work for work in (BRAINSTORM, GENERATE, LABEL, FILTER, IMAGINE, EDIT, PLACE, FILL)
}


@pytest.fixture
def batch_id(place, micro):
    """A batch of houses in flight, and a worker for all steps."""
    settings = load_settings("micro", chain={"per_label": 3})
    with place.sessions.begin() as session:
        submit(session, read_labels(["house"]).requests, settings, seed=0)
        dispatching.admit(session, window=1, queues=QUEUE_NAMES, plan_steps=plan_steps)
        [batch_id] = session.scalars(select(Batch.id))
    resources.use(dataclasses.replace(micro, sessions=place.sessions, images=place.images))
    return batch_id


def names_left(session):
    left = select(Step.name).where(Step.state != StepState.DONE).order_by(Step.position)
    return session.scalars(left).all()


def test_a_batch_goes_down_its_chain_and_every_message_may_come_twice(place, batch_id):
    with place.sessions() as session:
        names = names_left(session)
    for name in names:
        run_step(WORKS[name], batch_id)
        if name != "label":  # the next step may have the same name
            with pytest.raises(ChainEnds):
                run_step(WORKS[name], batch_id)
    with place.sessions() as session:
        assert names_left(session) == []
        assert session.get_one(Batch, batch_id).state == BatchState.DONE
        assert session.scalars(select(Item.state).distinct()).all() == [ItemState.DONE]
        assert_prompts_became_images(session)
        assert_edits_follow_scenes(session)
        assert_placements_obey_table_1(session)
        assert_every_verdict_has_its_scores(session)


def assert_prompts_became_images(session):
    prompts = session.scalars(select(Prompt.text).order_by(Prompt.index)).all()
    assert len(set(prompts)) == 3
    assert all("house" in prompt for prompt in prompts)
    painted = select(Candidate.prompt_text).where(Candidate.origin == "generated")
    assert session.scalars(painted.order_by(Candidate.key)).all() == prompts
    assert session.scalars(select(Label.features)).one()
    asked = session.scalars(select(LlmCall.question).distinct()).all()
    assert set(asked) == {"features", "prompts", "scenes", "placements"}


def assert_edits_follow_scenes(session):
    edited = session.scalars(select(Candidate).where(Candidate.origin == "edited")).all()
    assert len(edited) == session.scalar(select(func.count()).select_from(Scene))
    for candidate in edited:
        assert candidate.parent.verdict == Verdict.ACCEPTED
        assert candidate.prompt_text == f"change the background to {candidate.scene.background}"
        assert candidate.scene.background not in candidate.parent.prompt_text


def assert_placements_obey_table_1(session):
    for placement in session.scalars(select(Placement)):
        canvas = placement.candidate
        there = [annotation.box_xyxy for annotation in canvas.annotations]
        problem = boxes.placement_problem(
            placement.box_xyxy, there, (canvas.width_px, canvas.height_px)
        )
        assert placement.problem in (problem, SURPLUS)


def assert_every_verdict_has_its_scores(session):
    for candidate in session.scalars(select(Candidate)):
        assert candidate.labelled_by["detector"]["family"] == "grounding_dino"
        failed = {score.name for score in candidate.scores if score.passed is False}
        assert bool(failed) == (candidate.verdict == Verdict.REJECTED)
        assert (candidate.reason is None) == (not failed)
