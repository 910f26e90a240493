"""Painting with the options of labels, by generators that have them and by others."""

import json

import numpy as np
import pytest

from chatgenimage.tasks.failures import Fault
from chatgenimage.tasks.painting import notes_of, options_in, paint
from chatgenimage.workers.errors import UnfitOptions
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, ModelIdentity

WIDE = ImageOptions((96, 64), "snow")


class Plain:
    """A generator without options, as an earlier plug-in is."""

    identity = ModelIdentity("plain", "plain", "1")

    def generate(self, prompts, seeds):
        return [
            np.full((64, 64, 3), seed, np.uint8) for _, seed in zip(prompts, seeds, strict=True)
        ]


def test_a_generator_without_options_paints_labels_without_options():
    [image] = paint(Plain(), ["a dog"], [3], [NO_OPTIONS])
    assert image.shape == (64, 64, 3)


def test_it_does_not_leave_out_in_silence_what_a_label_asks_for():
    with pytest.raises(UnfitOptions, match="Plain has no method `generate_with`") as refused:
        paint(Plain(), ["a dog", "a cat"], [3, 4], [NO_OPTIONS, WIDE])
    assert Fault.of(refused.value).is_permanent


def test_options_are_read_back_from_the_record():
    assert notes_of(NO_OPTIONS) == {}
    assert options_in({}) == NO_OPTIONS
    assert options_in(json.loads(json.dumps(notes_of(WIDE)))) == WIDE
