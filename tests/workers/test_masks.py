import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from chatgenimage.workers import masks


@pytest.fixture
def mask():
    mask = np.zeros((6, 9), dtype=bool)
    mask[1:4, 2:8] = True
    mask[2, 4] = False
    return mask


def test_encode_and_decode_are_inverse(mask):
    decoded = masks.decode(json.loads(json.dumps(masks.encode(mask))))
    np.testing.assert_array_equal(decoded, mask)
    assert decoded.dtype == bool


def test_the_encoding_is_what_coco_reads(mask):
    rle = masks.encode(mask)
    assert rle["size"] == [6, 9]
    assert coco_mask.area(rle) == masks.mask_area(mask) == 17
    np.testing.assert_array_equal(coco_mask.toBbox(rle), [2, 1, 6, 3])


def test_the_box_holds_the_mask_with_its_far_sides_exclusive(mask):
    assert masks.find_box(mask) == (2.0, 1.0, 8.0, 4.0)


def test_an_empty_mask_has_no_box_but_an_encoding():
    empty = np.zeros((4, 5), dtype=bool)
    assert masks.find_box(empty) is None
    assert masks.mask_area(masks.decode(masks.encode(empty))) == 0


@pytest.mark.parametrize(
    ("box_xyxy", "expected"),
    [
        pytest.param((2, 1, 8, 4), (2, 1, 8, 4), id="whole pixels"),
        pytest.param((2.6, 1.2, 7.1, 3.9), (2, 1, 8, 4), id="touched pixels count"),
        pytest.param((-5, -5, 3, 3), (0, 0, 3, 3), id="beyond the edge"),
        pytest.param((-5, -5, -1, -1), None, id="outside"),
    ],
)
def test_a_box_becomes_the_mask_of_the_pixels_it_touches(box_xyxy, expected):
    mask = masks.from_box(box_xyxy, (9, 6))
    assert mask.shape == (6, 9)
    assert masks.find_box(mask) == expected


def test_the_edge_of_a_mask_can_be_left_out():
    square = masks.from_box((2, 2, 7, 7), (10, 10))
    assert masks.find_box(masks.without_edge(square)) == (3, 3, 6, 6)


def test_a_mask_that_is_all_edge_stays():
    line = masks.from_box((2, 2, 7, 3), (10, 10))
    assert np.array_equal(masks.without_edge(line), line)


def test_what_lies_outside_the_box_is_cut_off():
    everywhere = np.ones((20, 20), dtype=bool)
    inside = masks.within(everywhere, (4, 4, 14, 14), 0.1)
    assert masks.find_box(inside) == (3, 3, 15, 15)
