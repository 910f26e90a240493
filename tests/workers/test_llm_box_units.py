"""Units of boxes; a good place is 100 x 120 px at 512."""

import pytest

from chatgenimage.workers.llm.box_units import placements_problem, to_reference

ONE, TWO = (100.0, 50.0, 200.0, 170.0), (300.0, 200.0, 420.0, 330.0)


def shares(box):
    return tuple(edge / 512 for edge in box)


def thousandths(box):
    return tuple(round(edge / 0.512) for edge in box)


def xywh(box):
    return (box[0], box[1], box[2] - box[0], box[3] - box[1])


def swapped(box):
    return (box[2], box[3], box[0], box[1])


@pytest.mark.parametrize("written", [tuple, shares, xywh, swapped, lambda box: shares(xywh(box))])
def test_the_unit_and_order_are_recognised_from_all_boxes(written):
    boxes = (ONE, (350.0, 280.0, 470.0, 410.0))
    found = to_reference([written(box) for box in boxes])
    assert [edge for box in found for edge in box] == pytest.approx(
        [edge for box in boxes for edge in box]
    )


def test_thousandths_are_recognised_by_a_number_that_no_pixel_has():
    boxes = (ONE, (350.0, 280.0, 470.0, 410.0))
    found = to_reference([thousandths(box) for box in boxes])
    assert [edge for box in found for edge in box] == pytest.approx(
        [edge for box in boxes for edge in box], abs=0.5
    )


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([(10.0, 10.0, 30.0, 30.0)], id="too small in every reading"),
        pytest.param([(400.0, 400.0, 560.0, 500.0)], id="a little outside"),
        pytest.param([(300.0, 300.0, 200.0, 200.0)], id="swapped, or width and height"),
        pytest.param([(5.0, -1.0, 5000.0, 9.0)], id="nonsense"),
        pytest.param([ONE, (200.0, 200.0, 100.0, 120.0)], id="one box of pixels"),
        pytest.param([], id="none"),
    ],
)
def test_what_is_not_certain_stays_as_written(boxes):
    assert to_reference(boxes) == boxes


def test_the_problem_is_told_if_no_box_can_be_used():
    assert placements_problem([ONE, (0.0, 0.0, 9.0, 9.0)], []) is None
    assert placements_problem([], [ONE]) is None
    problem = placements_problem([(0.0, 0.0, 9.0, 9.0), ONE], [ONE])
    assert "the box [0, 0, 9, 9] cannot be used: its width and height must be greater than 75" in (
        problem
    )
    assert "must not overlap an existing box" in problem
    assert "[x_min, y_min, x_max, y_max] in pixels of an image of 512 x 512" in problem
