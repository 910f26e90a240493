import pytest

from chatgenimage.tasks.label import named, names_to_detect, nouns_of, one_box_per_object
from chatgenimage.tasks.options import ChainOptions
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
