import numpy as np
import pytest

from chatgenimage.workers import pixels

pytestmark = pytest.mark.models


def test_images_survive_the_way_into_a_tensor_and_back():
    images = list(np.random.default_rng(0).integers(0, 256, (2, 13, 10, 3), dtype=np.uint8))
    tensor = pixels.to_tensor(images, multiple_of=8)
    assert tensor.shape == (2, 3, 16, 16)
    back = pixels.to_images(tensor.permute(0, 2, 3, 1).numpy(), (13, 10))
    np.testing.assert_array_equal(back, images)


def test_the_edge_is_repeated_where_an_image_grows():
    image = np.zeros((3, 3, 3), dtype=np.uint8)
    image[2, 2] = 255
    assert pixels.to_tensor([image], multiple_of=4)[0, :, 3, 3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("pixel", [(0, 0), (3, 3), (7, 5)])
def test_a_single_pixel_whitens_its_cell(pixel):
    mask = np.zeros((8, 6), dtype=bool)
    mask[pixel] = True
    cells = pixels.to_cells([mask], 4)
    assert cells.shape == (1, 1, 2, 2)
    assert cells[0, 0, pixel[0] // 4, pixel[1] // 4] == cells.sum() == 1


def test_a_cell_covers_its_pixels():
    cells = pixels.to_cells([np.eye(8, dtype=bool)], 4)
    whole = pixels.from_cells(cells, 4)
    assert whole.shape == (1, 1, 8, 8)
    assert whole[0, 0, :4, :4].min() == 1
    assert whole.sum() == 32


def test_an_empty_mask_has_no_cells():
    assert pixels.to_cells([np.zeros((8, 6), dtype=bool)], 4).sum() == 0
