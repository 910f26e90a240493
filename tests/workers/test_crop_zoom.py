import numpy as np
import pytest

from chatgenimage.workers import masks
from chatgenimage.workers.crop_zoom import Zoom

SIZE_WH = (64, 48)


def mask_of(box_xyxy):
    return masks.from_box(box_xyxy, SIZE_WH)


@pytest.mark.parametrize(
    "box", [(20, 10, 36, 22), (0, 0, 8, 8), (50, 36, 64, 48), (2, 2, 62, 46)], ids=str
)
def test_the_part_lies_in_the_image_contains_the_mask_and_has_its_proportions(box):
    zoom = Zoom.on(mask_of(box), 0.5)
    assert 0 <= zoom.left <= box[0]
    assert 0 <= zoom.top <= box[1]
    assert box[2] <= zoom.left + zoom.width <= 64
    assert box[3] <= zoom.top + zoom.height <= 48
    assert zoom.width / zoom.height == pytest.approx(64 / 48, rel=0.05)


def test_the_mask_takes_its_share_of_the_enlarged_part():
    mask = mask_of((24, 16, 40, 28))
    enlarged = Zoom.on(mask, 0.5).enlarge_mask(mask)
    x_min, _, x_max, _ = masks.find_box(enlarged)
    assert x_max - x_min == pytest.approx(32, abs=4)


def test_a_mask_that_is_too_large_gets_the_whole_image():
    assert Zoom.on(mask_of((0, 0, 60, 40)), 0.5) == Zoom(0, 0, 64, 48)


def test_what_is_put_back_unchanged_looks_as_before():
    ramp = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    zoom = Zoom.on(mask_of((24, 16, 40, 28)), 0.6)
    again = zoom.put_back(zoom.enlarge(ramp), ramp)
    assert np.abs(again.astype(int) - ramp).max() < 12
    outside = np.ones((48, 64), bool)
    outside[zoom.top : zoom.top + zoom.height, zoom.left : zoom.left + zoom.width] = False
    assert np.array_equal(again[outside], ramp[outside])
