import pytest
import torch

from chatgenimage.workers.mask_shrinking import ShrinkingMasks

STEPS = 20


def cells_of(height, width):
    cells = torch.zeros(1, 1, 64, 64)
    cells[:, :, 20 : 20 + height, 20 : 20 + width] = 1
    return cells


def sizes(cells, grow_cells):
    masks = ShrinkingMasks.over(cells, grow_cells)
    return [int(masks.at(step, STEPS).sum()) for step in range(STEPS)]


def test_a_small_mask_starts_grown_on_every_side_and_shrinks_to_its_own_size():
    course = sizes(cells_of(4, 6), 3)
    assert course[0] == (4 + 6) * (6 + 6)
    assert course == sorted(course, reverse=True)
    assert set(course[STEPS // 2 :]) == {4 * 6}


@pytest.mark.parametrize(
    ("cells", "grow_cells"),
    [
        pytest.param(cells_of(30, 30), 3, id="a large mask"),
        pytest.param(cells_of(4, 6), 0, id="no growth"),
        pytest.param(torch.zeros(1, 1, 64, 64), 3, id="an empty mask"),
    ],
)
def test_other_masks_stay_as_they_are(cells, grow_cells):
    assert set(sizes(cells, grow_cells)) == {int(cells.sum())}


def test_in_a_batch_only_the_small_shrink():
    masks = ShrinkingMasks.over(torch.cat([cells_of(4, 4), cells_of(30, 30)]), 2)
    assert masks.at(0, STEPS).sum(dim=(1, 2, 3)).tolist() == [8 * 8, 30 * 30]
