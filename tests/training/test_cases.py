"""Cases have the defects that they claim, in a world of drawn sprites."""

from itertools import islice

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chatgenimage.workers import image_similarity, masks
from training.cases import (
    BAD_MAKERS,
    GOOD_MAKERS,
    SIZE_WH,
    CaseMaker,
    edited_without_change,
    filled,
    filled_with_seam,
)
from training.world import LABELS, resize_sprite


def draw_sprite(number):
    picture = Image.new("RGBA", (128, 128))
    colour = tuple(np.random.default_rng(number).integers(0, 256, 3))
    ImageDraw.Draw(picture).ellipse((8, 20, 120, 108), fill=(*map(int, colour), 255))
    return resize_sprite(picture)


@pytest.fixture(scope="module")
def sprites():
    return {label: draw_sprite(number) for number, label in enumerate(LABELS)}


@pytest.fixture
def maker(sprites):
    """A new one for each test, so that tests do not influence each other."""
    return CaseMaker(sprites, seed=1)


@pytest.mark.parametrize("make", [*GOOD_MAKERS, *BAD_MAKERS], ids=lambda make: make.__name__)
def test_a_case_is_good_or_says_what_is_wrong(maker, make):
    cases = list(islice(maker.iter_cases(make), 4))
    assert len(cases) == 4
    for case in cases:
        assert case.image.shape == (64, 64, 3)
        assert case.is_good == (make in GOOD_MAKERS)
        assert case.label in case.description
        assert (case.parent is None) == (case.origin == "generated")
        assert (case.asked is not None) == (case.origin == "filled")


def test_a_fill_changes_its_box_alone(maker):
    for make in (filled, filled_with_seam):
        cases = list(islice(maker.iter_cases(make), 100))
        assert len(cases) == 100
        for case in cases:
            inside = masks.from_box(case.asked[1], SIZE_WH)
            assert (case.image[~inside] == case.parent[~inside]).all()
            assert (case.image[inside] != case.parent[inside]).any()


def test_a_seam_is_where_the_ground_ends_at_the_box(maker):
    def median_seam(make):
        cases = islice(maker.iter_cases(make), 12)
        seams = [
            image_similarity.seam(case.parent, case.image, masks.from_box(case.asked[1], SIZE_WH))
            for case in cases
        ]
        return np.median(seams)

    assert median_seam(filled) < 5
    assert median_seam(filled_with_seam) > 20


def test_an_unchanged_background_is_that_of_the_parent(maker):
    [case] = islice(maker.iter_cases(edited_without_change), 1)
    assert np.abs(case.image.astype(int) - case.parent).mean() < 25
