"""Mask targets of the segmenters, compared with squares in known places."""

import pytest
import torch
from torchvision.models.detection.roi_heads import project_masks_on_boxes

from chatgenimage.factory.gain.trainers.mask_targets import with_masks_in_place
from chatgenimage.factory.gain.trainers.small_detector import build_small_segmenter

TARGET_PX = 28
"""Side of a mask target."""


def centre_of_target(side_px, square_xyxy, box_xyxy):
    """Return the centre of the square in the target that the model is trained with, in pixels."""
    x_min, y_min, x_max, y_max = square_xyxy
    mask = torch.zeros((1, side_px, side_px), dtype=torch.uint8)
    mask[0, y_min:y_max, x_min:x_max] = 1
    target = {"boxes": torch.tensor([box_xyxy], dtype=torch.float32), "masks": mask}
    model = with_masks_in_place(build_small_segmenter(1, 64)).train()
    _, [resized] = model.get_submodule("transform")([torch.zeros(3, side_px, side_px)], [target])
    first = torch.zeros(1, dtype=torch.int64)
    [found] = project_masks_on_boxes(resized["masks"], resized["boxes"], first, TARGET_PX)
    bins = (torch.arange(TARGET_PX) + 0.5) / TARGET_PX
    x = (found.sum(0) * bins).sum() / found.sum()
    y = (found.sum(1) * bins).sum() / found.sum()
    left, top, right, bottom = box_xyxy
    return left + float(x) * (right - left), top + float(y) * (bottom - top)


@pytest.mark.parametrize(
    "side_px", [32, 64, 100, 512], ids=["enlarged", "same", "smaller", "an eighth"]
)
def test_a_square_is_in_its_place_in_the_target(side_px):
    unit = side_px // 16
    square = (3 * unit, 5 * unit, 9 * unit, 12 * unit)
    box = (2 * unit, 3 * unit, 11 * unit, 14 * unit)
    assert centre_of_target(side_px, square, box) == pytest.approx((6 * unit, 8.5 * unit), abs=0.2)


def test_an_image_without_objects_has_no_masks():
    model = with_masks_in_place(build_small_segmenter(1, 64)).train()
    target = {"boxes": torch.zeros(0, 4), "masks": torch.zeros((0, 32, 32), dtype=torch.uint8)}
    _, [resized] = model.get_submodule("transform")([torch.zeros(3, 32, 32)], [target])
    assert resized["masks"].shape == (0, 64, 64)
