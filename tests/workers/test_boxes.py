import pytest

from chatgenimage.workers import boxes
from chatgenimage.workers.values import Detection


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


def detection(label, confidence, *box_xyxy):
    return Detection(label, confidence, box_xyxy)


DOG = detection("dog", 0.9, 0, 0, 10, 10)
DOG_AGAIN = detection("dog", 0.3, 0, 0, 10, 9)
DOG_ELSEWHERE = detection("dog", 0.5, 30, 30, 40, 40)
WOLF = detection("wolf", 0.6, 0, 0, 10, 10)


def test_suppress_keeps_the_most_confident_of_each_label():
    kept = boxes.suppress([DOG_AGAIN, WOLF, DOG_ELSEWHERE, DOG], 0.5)
    assert kept == [DOG, WOLF, DOG_ELSEWHERE]


def test_suppress_across_labels_keeps_one_detection_per_object():
    assert boxes.suppress([WOLF, DOG_ELSEWHERE, DOG], 0.5, class_agnostic=True) == [
        DOG,
        DOG_ELSEWHERE,
    ]


def test_boxes_that_overlap_as_much_as_the_threshold_stay_two():
    assert boxes.suppress([DOG, DOG_AGAIN], 0.9) == [DOG, DOG_AGAIN]


def test_fuse_averages_the_duplicates_of_a_label_by_confidence():
    fused = boxes.fuse([DOG_AGAIN, WOLF, DOG, DOG_ELSEWHERE], 0.5)
    assert fused == [
        detection("dog", 0.9, 0, 0, 10, pytest.approx((10 * 0.9 + 9 * 0.3) / 1.2)),
        WOLF,
        DOG_ELSEWHERE,
    ]


def test_fuse_survives_boxes_without_any_confidence():
    nothing = detection("dog", 0.0, 0, 0, 10, 10)
    assert boxes.fuse([nothing, nothing], 0.5) == [nothing]
