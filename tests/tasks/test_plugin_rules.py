"""Filter rules of plug-ins: what they are given, and what happens if one fails."""

import math

import numpy as np
import pytest

from chatgenimage.db.states import Origin
from chatgenimage.tasks.filter_measures import FilterInput, measure_by_plugins
from chatgenimage.tasks.rule import ImageRule
from chatgenimage.workers.errors import PluginBroken
from chatgenimage.workers.plugins import Plugin, Plugins

IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)


def measured(function, origin=Origin.GENERATED, parent=None):
    """Measure a candidate by a rule with this function."""
    rule = ImageRule("mood", "gloomy", threshold=1.0, measure=function, origins=(origin,))
    subject = FilterInput(
        1,
        Origin.GENERATED,
        ("dog",),
        "0" * 64,
        "a dog",
        ((("dog", (0.0, 0.0, 4.0, 4.0)), 0.9),),
        parent_sha256="1" * 64 if parent is not None else None,
    )
    found = {"mood": Plugin("mood", "moods", "1.2", rule)}
    return measure_by_plugins(subject, IMAGE, parent, Plugins("filter_rules", found))


def test_a_rule_sees_image_text_labels_objects_and_parent():
    shown = []

    def see(given):
        shown.append(given)
        return 2

    assert measured(see, parent=IMAGE) == {"mood": 2.0}
    (given,) = shown
    assert (given.text, given.names, given.objects[0].label) == ("a dog", ("dog",), "dog")
    assert given.image is IMAGE
    assert given.parent is IMAGE


def test_a_rule_of_another_origin_or_without_a_score_measures_nothing():
    assert measured(lambda _given: 2, origin=Origin.FILLED) == {}
    assert measured(lambda _given: None) == {}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _given: 1 / 0, "failed: ZeroDivisionError"),
        (lambda _given: math.nan, "returned nan; expected a finite number or None"),
    ],
)
def test_a_rule_that_fails_is_named_with_its_package(function, message):
    with pytest.raises(PluginBroken, match=rf"rule 'mood' of the package moods 1\.2 {message}"):
        measured(function)
