"""The card says which classes were looked for on each image."""

import pytest

from chatgenimage.db.models import Run
from chatgenimage.factory.export.card_search import describe_search
from tests import rows

MISSING = "On images the detector looked for the label of the image, "
ALL = "On each image the detector looked for all labels of its run."


def described(place, *chains, labels=("dog", "house")):
    with place.sessions.begin() as session:
        runs = [rows.add_run(session, labels) for _ in chains]
        for run, chain in zip(runs, chains, strict=True):
            run.profile = {
                **run.profile,
                "chain": {**run.profile["chain"], "class_list": [], **chain},
            }
        session.flush()
        return [*describe_search([session.get_one(Run, run.id) for run in runs])]


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ({}, MISSING),
        ({"search_for": "run"}, ALL),
        ({"class_list": ["house", "tree", "dog"]}, ALL),
        ({"class_list": ["dog"]}, MISSING),
    ],
)
def test_a_card_says_what_was_looked_for(place, chain, told):
    [line] = described(place, chain)
    assert line.startswith(told)


def test_runs_of_one_label_and_of_pictures_need_no_sentence(place):
    assert described(place, {}, labels=("dog",)) == []
    assert described(place, {"source": "pictures", "class_list": ["dog"]}) == []


def test_runs_that_differ_are_told_apart(place):
    first, second = described(place, {}, {"search_for": "run"})
    assert first.startswith("On images of some runs the detector looked for the label")
    assert (
        second == "On each image of the other runs the detector looked for all labels of its run."
    )
