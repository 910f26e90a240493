import pytest

from workers import boxes


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param((0, 0, 10, 10), 1.0, id="same"),
        pytest.param((5, 0, 15, 10), 1 / 3, id="half shifted"),
        pytest.param((10, 0, 20, 10), 0.0, id="touching"),
        pytest.param((20, 20, 10, 10), 0.0, id="inverted"),
    ],
)
def test_iou_is_shared_area_over_union(other, expected):
    assert boxes.iou((0, 0, 10, 10), other) == pytest.approx(expected)


def test_two_empty_boxes_do_not_overlap():
    assert boxes.iou((3, 3, 3, 3), (3, 3, 3, 3)) == 0.0


def test_clip_keeps_what_lies_inside():
    assert boxes.clip((-5, 2, 70, 30), (64, 64)) == (0.0, 2, 64, 30)


@pytest.mark.parametrize(
    ("box", "size_wh", "problem"),
    [
        pytest.param((343.23, 176.29, 467.23, 353.13), (512, 512), None, id="the paper's cat"),
        pytest.param((0, 0, 75, 100), (512, 512), "too_small", id="75 is not greater than 75"),
        pytest.param((0, 0, 300, 100), (512, 512), "too_large", id="300 is not less than 300"),
        pytest.param((-1, 0, 99, 99), (512, 512), "outside_image", id="left of the image"),
        pytest.param((20, 20, 120, 120), (512, 512), "overlaps_object", id="on the dog"),
        pytest.param((40, 40, 60, 60), (64, 64), None, id="scaled to 64 px"),
        pytest.param((40, 40, 49, 49), (64, 64), "too_small", id="scaled too small"),
        pytest.param((50, 10, 40, 30), (64, 64), "too_small", id="inverted"),
    ],
)
def test_a_placement_obeys_the_rules_of_table_1(box, size_wh, problem):
    assert boxes.placement_problem(box, [(0, 0, 30, 30)], size_wh) == problem
