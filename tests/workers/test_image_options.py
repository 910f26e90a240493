"""Options of single images: sizes of proportions, and what a generator is not asked for."""

import pytest

from chatgenimage.workers.errors import UnfitOptions
from chatgenimage.workers.image_options import (
    OptionLimits,
    find_problem,
    refuse_unfit,
    size_of_aspect,
)
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions

SD = OptionLimits(painter="sd", size_wh=(512, 512), multiple_px=8)


@pytest.mark.parametrize(
    ("size_wh", "multiple", "aspect", "expected"),
    [
        ((512, 512), 8, (3, 2), (624, 416)),
        ((512, 512), 8, (2, 3), (416, 624)),
        ((1024, 1024), 16, (16, 9), (1360, 768)),
        ((1024, 1024), 32, (16, 9), (1376, 768)),
        ((64, 64), 8, (1, 1), (64, 64)),
        ((768, 512), 8, (1, 1), (624, 624)),
        ((64, 64), 8, (4, 1), (128, 32)),
    ],
)
def test_a_proportion_keeps_about_the_usual_number_of_pixels(size_wh, multiple, aspect, expected):
    limits = OptionLimits(painter="sd", size_wh=size_wh, multiple_px=multiple)
    assert size_of_aspect(limits, aspect) == expected
    assert find_problem(limits, ImageOptions(expected)) is None


@pytest.mark.parametrize(
    ("size_wh", "part"),
    [
        ((510, 512), "multiples of 8; write 504x512 or 512x512"),
        ((1032, 1024), "expected 65536 to 1048576 pixels in all"),
        ((248, 256), "expected 65536 to 1048576 pixels in all"),
        ((1288, 320), "no side more than 4 times the other"),
    ],
)
def test_a_size_that_a_generator_does_not_paint_well_is_refused(size_wh, part):
    assert part in find_problem(SD, ImageOptions(size_wh))
    with pytest.raises(UnfitOptions, match="`size` is "):
        refuse_unfit(lambda: SD, [NO_OPTIONS, ImageOptions(size_wh)])


def test_the_largest_and_the_smallest_sizes_can_be_painted():
    for size_wh in [(1024, 1024), (256, 256), (1024, 256)]:
        assert find_problem(SD, ImageOptions(size_wh)) is None


def test_limits_are_not_asked_for_without_options():
    refuse_unfit(lambda: pytest.fail("asked"), [NO_OPTIONS] * 2)


def test_a_proportion_of_an_unknown_size_is_refused():
    with pytest.raises(UnfitOptions, match="write one of them in pixels, such as 1536x1024"):
        size_of_aspect(OptionLimits(painter="server"), (3, 2))
