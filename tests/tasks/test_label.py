import numpy as np
import pytest

from chatgenimage.tasks.label import (
    LabelInput,
    find_with_masks,
    objects_in,
)
from chatgenimage.tasks.names_to_detect import named, names_to_detect, nouns_of
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.overlaps import one_box_per_object
from chatgenimage.workers.values import Detection


@pytest.mark.parametrize(
    ("caption", "nouns"),
    [
        ("there is a red cabin in the woods with a wooden deck.", ("cabin", "woods", "deck")),
        ("a dog sitting on a bench in a field", ("dog", "bench", "field")),
        ("two cats and a dog", ("cats", "dog")),
        ("A DOG and a dog", ("dog",)),
        ("", ()),
        ("ein Hund", ()),
    ],
)
def test_nouns_are_the_heads_of_phrases(caption, nouns):
    assert nouns_of(caption) == nouns


def test_the_label_the_caption_and_the_class_list_are_looked_for_once_each():
    names = names_to_detect(["Dog", "tree"], "a dog on a bench", ChainOptions())
    assert sorted(names) == ["Dog", "bench", "tree"]


def test_caption_nouns_can_be_left_out():
    options = ChainOptions(caption_nouns=False)
    assert names_to_detect(["dog"], "a cat on a bench", options) == ("dog",)


def test_the_same_object_found_twice_is_one_box():
    found = [
        Detection("dog", 0.9, (0, 0, 10, 10)),
        Detection("dog", 0.8, (0, 0, 10, 9.5)),
        Detection("cat", 0.5, (0, 0, 10, 10)),
        Detection("cat", 0.7, (20, 20, 30, 30)),
    ]
    kept = one_box_per_object(found, ChainOptions())
    assert [(detection.label, detection.confidence) for detection in kept] == [
        ("dog", 0.9),
        ("cat", 0.7),
    ]


def test_what_a_phrase_finds_has_the_name_of_its_class():
    options = ChainOptions(caption_nouns=False, phrases={"referee": ("striped shirt", "whistle")})
    names = names_to_detect(["referee", "dog"], "", options)
    assert sorted(names) == ["dog", "striped shirt", "whistle"]
    found = [
        Detection("striped shirt", 0.8, (0, 0, 10, 10)),
        Detection("whistle", 0.6, (0, 0, 10, 9.8)),
        Detection("dog", 0.9, (20, 20, 30, 30)),
    ]
    kept = one_box_per_object(named(found, ["referee", "dog"], options), options)
    assert [(one.label, one.confidence) for one in kept] == [("dog", 0.9), ("referee", 0.8)]


BOX = (0.0, 0.0, 10.0, 10.0)
MOST_OF_IT = (0.0, 0.0, 10.0, 7.0)
ELSEWHERE = (20.0, 20.0, 30.0, 30.0)


def found_for(asked, found, *, listed=(), **options):
    chain = ChainOptions(**options)
    subject = LabelInput(1, "", (*asked, *listed), chain, tuple(asked))
    kept = objects_in(subject, [Detection(*one) for one in found])
    return [(one.label, one.box_xyxy) for one in kept]


def test_the_label_that_was_asked_for_has_the_box_and_not_its_head_noun():
    found = [("extinguisher", 0.63, MOST_OF_IT), ("fire extinguisher", 0.61, BOX)]
    for listed in ((), ("extinguisher",)):
        assert found_for(["fire extinguisher"], found, listed=listed) == [
            ("fire extinguisher", BOX)
        ]


def test_a_noun_of_the_caption_takes_no_box_from_a_name_and_keeps_its_own():
    found = [("wall", 0.9, BOX), ("dog", 0.4, BOX), ("wall", 0.8, ELSEWHERE)]
    assert found_for(["dog"], found) == [("wall", ELSEWHERE), ("dog", BOX)]


def test_another_class_of_the_list_still_wins_by_its_confidence():
    found = [("hot dog", 0.7, BOX), ("dog", 0.4, BOX)]
    assert found_for(["dog"], found, listed=["hot dog"]) == [("hot dog", BOX)]


def test_places_and_quantities_in_a_caption_are_no_classes():
    caption = "a stack of boxes in the middle of a lot of chairs on a side of a wall"
    names = names_to_detect(["fire extinguisher"], caption, ChainOptions())
    assert names == ("fire extinguisher", "wall")
    said = "an extinguisher and two fire extinguishers next to a hose"
    assert names_to_detect(["fire extinguisher"], said, ChainOptions()) == (
        "fire extinguisher",
        "hose",
    )


def test_a_stop_noun_that_was_asked_for_is_looked_for():
    assert names_to_detect(["painting"], "a painting on a wall", ChainOptions()) == (
        "painting",
        "wall",
    )


def test_a_class_may_have_a_higher_threshold_than_the_detector():
    options = {"box_thresholds": {"dog": 0.6}, "phrases": {"dog": ("hound",)}}
    for phrase in ("dog", "hound"):
        found = [(phrase, 0.59, BOX), ("cat", 0.31, ELSEWHERE)]
        assert found_for(["dog", "cat"], found, **options) == [("cat", ELSEWHERE)]
    assert found_for(["dog"], [("hound", 0.6, BOX)], **options) == [("dog", BOX)]


def test_a_box_below_the_threshold_of_its_class_takes_no_place_from_another():
    found = [("dog", 0.5, BOX), ("cat", 0.4, BOX)]
    assert found_for(["dog", "cat"], found) == [("dog", BOX)]
    kept = found_for(["dog", "cat"], found, box_thresholds={"dog": 0.6})
    assert kept == [("cat", BOX)]


class FindsAll:
    """A detector and segmenter in one that finds a dog and a cat in each image."""

    def find(self, images, _labels):
        objects = [Detection("dog", 0.5, BOX), Detection("cat", 0.4, ELSEWHERE)]
        mask = np.ones((32, 32), dtype=bool)
        return [[(one, mask) for one in objects] for _ in images]


def test_a_detector_with_masks_has_the_same_thresholds():
    chain = ChainOptions(box_thresholds={"dog": 0.6})
    subject = LabelInput(1, "", ("dog", "cat"), chain, ("dog",))
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    [(kept, inside)] = find_with_masks(FindsAll(), [image], [["dog", "cat"]], [subject])
    assert [one.label for one in kept] == ["cat"]
    assert len(inside) == 1


def test_what_the_class_list_and_captions_find_has_the_class_of_the_run():
    options = {"classes": {"frog": "Frog", "owl": "my owl"}, "phrases": {"my owl": ("owl",)}}
    found = [("dog", 0.9, BOX), ("frog", 0.8, ELSEWHERE)]  # the frog is a noun of the caption
    assert found_for(["dog"], found, **options) == [("dog", BOX), ("Frog", ELSEWHERE)]
    found = [("dog", 0.9, BOX), ("owl", 0.8, ELSEWHERE)]
    kept = found_for(["dog"], found, listed=["my owl"], **options)
    assert kept == [("dog", BOX), ("my owl", ELSEWHERE)]
