from dataclasses import replace

import pytest

from chatgenimage.db.classes import list_run_classes
from chatgenimage.db.errors import RefusedChange, RowNotFound
from chatgenimage.db.exporting import count_objects, iter_export_keys
from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.object_reviews import (
    ADDED_FROM,
    ObjectChange,
    is_checked,
    objects_of,
    review_objects,
)
from chatgenimage.db.queries import CandidateFilter, iter_candidates
from chatgenimage.db.states import ObjectAction
from tests import rows

ADD, CHANGE, DELETE, CHECK, UNDO = ObjectAction
BOX = (1.0, 2.0, 30.0, 40.0)


@pytest.fixture
def reviewed(place):
    """A candidate with a dog (annotation 1) and a tree (annotation 2)."""
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"]))
        found = [("dog", "brown", rows.DOG_BOX), ("tree", "green", rows.TREE_BOX)]
        rows.add_candidate(place, session, batch, found)
    return place


def review(place, *args, **fields):
    with place.sessions.begin() as session:
        review_objects(session, 1, ObjectChange(*args, **fields), "ann@studio")


def shown(place):
    """Return key, label and box of the objects."""
    with place.sessions() as session:
        found = objects_of(session.get(Candidate, 1))
        return [(one.key, one.label, one.box_xyxy) for one in found]


DOG, TREE = ("a1", "dog", rows.DOG_BOX), ("a2", "tree", rows.TREE_BOX)


def test_objects_are_renamed_moved_deleted_and_added_and_undone_one_by_one(reviewed):
    states = [shown(reviewed)]
    for change in (
        ObjectChange(CHANGE, "a1", label="wolf"),
        ObjectChange(CHANGE, "a1", box_xyxy=BOX),
        ObjectChange(DELETE, "a2"),
        ObjectChange(ADD, label=" red   fox ", box_xyxy=(-5, 10, 999, 20.5)),
        ObjectChange(CHANGE, "r4", label="fox"),
        ObjectChange(DELETE, "r4"),
    ):
        with reviewed.sessions.begin() as session:
            review_objects(session, 1, change, "ann@studio")
        states.append(shown(reviewed))
    fox = (0.0, 10.0, 64.0, 20.5)
    assert states == [
        [DOG, TREE],
        [("a1", "wolf", rows.DOG_BOX), TREE],
        [("a1", "wolf", BOX), TREE],
        [("a1", "wolf", BOX)],
        [("a1", "wolf", BOX), ("r4", "red fox", fox)],
        [("a1", "wolf", BOX), ("r4", "fox", fox)],
        [("a1", "wolf", BOX)],
    ]
    for before in reversed(states[:-1]):
        review(reviewed, UNDO)
        assert shown(reviewed) == before
    with pytest.raises(RefusedChange, match="no change of an object to undo"):
        review(reviewed, UNDO)
    with reviewed.sessions() as session:
        history = session.get(Candidate, 1).object_reviews
        assert [one.action for one in history[-2:]] == [UNDO, UNDO]
        assert len(history) == 12
        assert {one.author for one in history} == {"ann@studio"}
        found = session.query(Annotation).order_by(Annotation.id)
        assert [(one.label, one.box_xyxy) for one in found] == [DOG[1:], TREE[1:]]


def test_an_added_object_has_an_id_of_its_own_and_the_models_objects_keep_theirs(reviewed):
    review(reviewed, ADD, label="fox", box_xyxy=BOX)
    with reviewed.sessions() as session:
        candidate = session.get(Candidate, 1)
        assert [one.id for one in objects_of(candidate)] == [1, 2, ADDED_FROM + 1]
        assert [one.is_corrected for one in objects_of(candidate)] == [False, False, True]
        assert [one.id for one in objects_of(candidate, use_reviews=False)] == [1, 2]


def test_an_image_whose_objects_are_right_is_checked_until_that_is_undone(reviewed):
    for action, is_now in ((CHECK, True), (DELETE, True), (UNDO, True), (UNDO, False)):
        review(reviewed, action, "a2" if action is DELETE else "")
        with reviewed.sessions() as session:
            assert is_checked(session.get(Candidate, 1)) is is_now


def test_queries_over_many_candidates_see_the_corrections_if_asked(reviewed):
    for change in (
        ObjectChange(CHANGE, "a1", label="wolf"),
        ObjectChange(DELETE, "a2"),
        ObjectChange(ADD, label="fox", box_xyxy=BOX),
    ):
        with reviewed.sessions.begin() as session:
            review_objects(session, 1, change, "ann@studio")
    with reviewed.sessions() as session:
        for use_reviews, expected in ((False, ["dog", "tree"]), (True, ["wolf", "fox"])):
            wanted = CandidateFilter(use_reviews=use_reviews)
            [key] = iter_export_keys(session, wanted)
            assert list(key.found) == expected
            assert count_objects(session, wanted) == dict.fromkeys(expected, 1)
            classes = list_run_classes(session, [1], use_reviews=use_reviews)
            assert classes == list(dict.fromkeys(["dog", *sorted(expected)]))
            for name in ("tree", "wolf", "fox"):
                some = replace(wanted, classes=(name,))
                assert len(list(iter_candidates(session, some))) == (name in expected)


@pytest.mark.parametrize(
    ("change", "problem", "told"),
    [
        (ObjectChange(CHANGE, "a7", label="fox"), RowNotFound, "no object 'a7'"),
        (ObjectChange(DELETE, "r1"), RowNotFound, "reload the page"),
        (ObjectChange(ADD, label=" ", box_xyxy=BOX), RefusedChange, "no label"),
        (ObjectChange(ADD, label="fox"), RefusedChange, "no box"),
        (ObjectChange(CHANGE, "a1", label="a\x01b"), RefusedChange, r"character U\+0001"),
        (ObjectChange(CHANGE, "a1", label="a\ufffe"), RefusedChange, r"character U\+FFFE"),
        (ObjectChange(ADD, label="fox", box_xyxy=(5, 5, 5.5, 50)), RefusedChange, "one pixel"),
        (ObjectChange(CHANGE, "a1", box_xyxy=(70, 5, 90, 50)), RefusedChange, "of 64 x 64"),
        (
            ObjectChange(CHANGE, "a1", box_xyxy=(float("nan"), 5, 90, 50)),
            RefusedChange,
            "one pixel",
        ),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(reviewed, change, problem, told):
    with pytest.raises(problem, match=told), reviewed.sessions.begin() as session:
        review_objects(session, 1, change, "ann@studio")
    assert shown(reviewed) == [DOG, TREE]
