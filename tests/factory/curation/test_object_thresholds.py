import json

import pytest

from chatgenimage.db.models import Candidate
from chatgenimage.db.object_reviews import ObjectChange, review_objects
from chatgenimage.db.states import ObjectAction
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from tests import rows
from tests.factory.curation.test_reviews import run

CHANGE, DELETE, CHECK, ADD = (
    ObjectAction.CHANGE,
    ObjectAction.DELETE,
    ObjectAction.CHECK,
    ObjectAction.ADD,
)
FAR = (40.0, 0.0, 60.0, 20.0)


@pytest.fixture
def checked(place):
    """Dogs of falling confidence: four right, two wrong, one missed; one image is not checked."""
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"], state="done"))
        confidences = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.45)
        for confidence in confidences:
            shown = [("dog", "brown", rows.DOG_BOX)]
            rows.add_candidate(place, session, batch, shown).annotations[0].confidence = confidence

        def say(candidate_id, *args, **fields):
            review_objects(session, candidate_id, ObjectChange(*args, **fields), "ann@studio")

        for candidate_id in range(1, 7):
            say(candidate_id, CHECK)
        say(4, CHANGE, "a4", box_xyxy=(9.0, 24.0, 31.0, 54.0))  # still the same dog
        say(5, CHANGE, "a5", label="wolf")
        say(6, DELETE, "a6")
        say(1, ADD, label="dog", box_xyxy=FAR)
    return place


def test_precision_and_recall_of_a_class_are_those_of_the_checked_images(checked):
    found = json.loads(run(checked, "thresholds", "1", "--objects", "--json").stdout)
    assert found["images"] == 6
    every, dog, wolf = found["classes"]
    assert (every["label"], every["objects"], every["detected"]) == (None, 6, 6)
    assert (dog["label"], dog["objects"], dog["detected"]) == ("dog", 5, 6)
    now = {"threshold": 0.4, "precision": 4 / 6, "recall": 0.8, "f1": 8 / 11}
    assert dog["now"] == pytest.approx(now)
    best = {"threshold": 0.55, "precision": 1.0, "recall": 0.8, "f1": 8 / 9}
    assert dog["best"] == pytest.approx(best)
    tried = {one["threshold"]: (one["precision"], one["recall"]) for one in dog["tried"]}
    assert tried[0.75] == (1.0, 0.4)
    assert (wolf["label"], wolf["objects"], wolf["now"], wolf["best"]) == ("wolf", 1, None, None)
    with checked.sessions() as session:
        assert len(session.get(Candidate, 1).object_reviews) == 2  # nothing was written


def test_the_table_says_how_many_objects_it_is_based_on(checked):
    told = run(checked, "thresholds", "1", "--objects").stdout
    lines = [line.split() for line in told.splitlines()]
    assert ["dog", "5", "6", "0.4", "0.67", "0.80", "0.55", "1.00", "0.80"] in lines
    assert ["wolf", "1", "0", *["-"] * 6] in lines


def test_a_class_with_few_objects_gets_no_suggestion(checked):
    assert "No class with 10 true objects" in run(checked, "thresholds", "1", "--objects").stdout
    assert (
        json.loads(run(checked, "thresholds", "1", "--objects", "--json").stdout)["box_thresholds"]
        == {}
    )


def test_the_suggested_thresholds_can_be_pasted_into_a_profile(place, tmp_path):
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog: big"], state="done"))
        for number in range(12):
            shown = [("dog: big", "brown", rows.DOG_BOX)]
            added = rows.add_candidate(place, session, batch, shown)
            added.annotations[0].confidence = 0.7 if number < 10 else 0.4
            key = f"a{added.annotations[0].id}"
            if number >= 10:
                review_objects(session, added.id, ObjectChange(DELETE, key), "ann@studio")
            review_objects(session, added.id, ObjectChange(CHECK), "ann@studio")
    printed = run(place, "thresholds", "1", "--objects").stdout
    pasted = (
        (CONFIGS / "micro.yaml")
        .read_text()
        .replace("chain:\n", "chain:\n" + printed[printed.index("  box_thresholds:") :])
    )
    (tmp_path / "mine.yaml").write_text(pasted)
    settings = load_settings(tmp_path / "mine.yaml")
    assert settings.chain.box_thresholds == {"dog: big": 0.55}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--objects",), 2, "no image of run 1 has checked objects"),
        (("--objects", "--marks", "gallery"), 2, "neither with --marks nor with --out"),
    ],
)
def test_without_a_checked_image_it_says_what_to_do(place, words, code, told):
    with place.sessions.begin() as session:
        rows.add_run(session, ["dog"])
    result = run(place, "thresholds", "1", *words)
    assert (result.exit_code, told in " ".join(result.stderr.split())) == (code, True)
