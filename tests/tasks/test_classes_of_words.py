"""Words of classes of the run, on images of other labels: rows have the name of the class."""

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Placement, Run, Scene
from chatgenimage.tasks import edit, fill, label
from chatgenimage.workers.values import Answer, ImaginedScene, ProposedObject
from tests import rows

PARENT = edit.ParentCandidate(1, "a house", ("house",), 1, 7)
CANVAS = fill.EditedCandidate(1, "a house", (), ("frog",), (64, 64), 1, 7)


@pytest.fixture
def session(place):
    """An image of a house, in a run that calls frogs "Frog"."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["house"])
        chain = {**run.profile["chain"], "classes": {"frog": "Frog"}}
        run.profile = {**run.profile, "chain": chain | {"class_list": ["frog", "owl"]}}
        batch = rows.batch_of(session, run)
        rows.add_candidate(place, session, batch, [("house", "brown", rows.DOG_BOX)])
        rows.add_steps(session, batch, ("imagine",))
    with place.sessions.begin() as session:
        yield session


def step_of(session):
    run = session.get_one(Run, 1)
    return rows.current_step(session, rows.batch_of(session, run).id)


def test_what_a_language_model_adds_has_the_class_of_its_word(session):
    scene = ImaginedScene("a beach", ("house", "frog", "crab"), "a house")
    edit.write_scenes(session, step_of(session), PARENT, Answer((scene,), ()))
    assert session.scalars(select(Scene.objects)).all() == [["house", "Frog", "crab"]]
    proposals = (
        ProposedObject("frog", (30.0, 30.0, 60.0, 60.0), "next to the house"),
        ProposedObject("crab", (0.0, 0.0, 20.0, 20.0), "next to the house"),
    )
    fill.write_place(session, step_of(session), CANVAS, Answer(proposals, ()))
    placed = session.scalars(select(Placement.label).order_by(Placement.index)).all()
    assert placed == ["Frog", "crab"]


def test_a_word_of_the_class_list_is_looked_for_as_its_class(session):
    subject = label.read(session, step_of(session), 1)
    assert subject.names == ("house", "Frog", "owl")
    assert subject.asked == ("house",)
