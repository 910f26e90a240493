import numpy as np
import pytest

from chatgenimage.workers import image_similarity, masks
from chatgenimage.workers.errors import UnfitImage

SIDE_PX = 64


@pytest.fixture
def before():
    """A sky over a meadow with a red house."""
    image = np.full((SIDE_PX, SIDE_PX, 3), (120, 170, 230), dtype=np.uint8)
    image[40:] = (90, 160, 70)
    image[24:48, 8:30] = (180, 60, 50)
    image[30:36, 12:18] = (250, 240, 180)
    return image


@pytest.fixture
def kept():
    """Everything except the middle right, where an object was filled in."""
    region = np.ones((SIDE_PX, SIDE_PX), dtype=bool)
    region[20:50, 36:60] = False
    return region


@pytest.fixture
def good(before, kept):
    """A good child: repainted inside, two grey levels of noise outside."""
    noise = np.random.default_rng(0).integers(-2, 3, before.shape)
    after = np.clip(before + noise, 0, 255).astype(np.uint8)
    after[~kept] = (30, 30, 30)
    return after


@pytest.fixture
def bad(good):
    """A bad child: its house moved, although it should not."""
    after = good.copy()
    after[24:48, 8:30] = np.roll(good, 12, axis=1)[24:48, 8:30]
    return after


def test_a_good_child_scores_high(before, good, kept):
    assert image_similarity.psnr(before, good, kept) > 40
    assert image_similarity.ssim(before, good, kept) > 0.9


def test_a_bad_child_scores_lower_than_a_good_one(before, bad, good, kept):
    assert image_similarity.psnr(before, bad, kept) < 25
    assert (
        image_similarity.ssim(before, bad, kept) < image_similarity.ssim(before, good, kept) - 0.02
    )


def test_a_bad_child_is_seen_best_on_the_object_itself(before, bad):
    house = np.zeros((SIDE_PX, SIDE_PX), dtype=bool)
    house[24:48, 8:30] = True
    assert image_similarity.psnr(before, bad, house) < 15
    assert image_similarity.ssim(before, bad, house) < 0.7


def test_what_was_to_change_does_not_count(before, kept):
    after = before.copy()
    after[~kept] = 0
    assert image_similarity.psnr(before, after, kept) == image_similarity.MAX_PSNR_DB
    assert image_similarity.ssim(before, after, kept) == pytest.approx(1.0)
    assert image_similarity.psnr(before, after) < 20
    assert image_similarity.ssim(before, after) < 0.9


def test_an_empty_region_has_no_score(before, good):
    nowhere = np.zeros((SIDE_PX, SIDE_PX), dtype=bool)
    assert image_similarity.psnr(before, good, nowhere) is None
    assert image_similarity.ssim(before, good, nowhere) is None


BOX = masks.from_box((20, 20, 44, 44), (SIDE_PX, SIDE_PX))


def test_a_ground_that_goes_on_has_no_seam(before):
    after = before.copy()
    after[26:38, 26:38] = 0
    assert image_similarity.seam(before, before, BOX) == 0.0
    assert image_similarity.seam(before, after, BOX) == 0.0


def test_an_object_may_end_at_the_edge_on_three_sides():
    ground = np.full((SIDE_PX, SIDE_PX, 3), 100, np.uint8)
    after = ground.copy()
    after[20:44, 20:36] = 255
    assert image_similarity.seam(ground, after, BOX) == 0.0


def test_a_patch_of_other_ground_is_as_visible_as_it_differs():
    ground = np.full((SIDE_PX, SIDE_PX, 3), 100, np.uint8)
    after = ground.copy()
    after[BOX] = 130
    assert image_similarity.seam(ground, after, BOX) == pytest.approx(30.0)


def test_a_region_without_an_edge_has_no_seam_to_measure(before, good):
    assert image_similarity.seam(before, good, np.ones_like(BOX)) is None


@pytest.mark.parametrize("side_px", [3, 4, 6, 8])
def test_small_images_are_compared_in_a_window_that_fits(before, bad, side_px):
    here = np.s_[28 : 28 + side_px, 8 : 8 + side_px]
    assert image_similarity.ssim(before[here], before[here]) == pytest.approx(1.0)
    assert image_similarity.ssim(before[here], bad[here]) < 1.0


@pytest.mark.parametrize(
    ("other_shape", "region_shape"),
    [
        pytest.param((64, 32, 3), None, id="images of different size"),
        pytest.param((64, 64, 3), (32, 64), id="region of another size"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(before, other_shape, region_shape):
    region = None if region_shape is None else np.ones(region_shape, dtype=bool)
    other = np.zeros(other_shape, dtype=np.uint8)
    for measure in (image_similarity.psnr, image_similarity.ssim):
        with pytest.raises(UnfitImage):
            measure(before, other, region)


def test_an_image_without_structure_is_refused(before):
    with pytest.raises(UnfitImage, match="3 px"):
        image_similarity.ssim(before[:2], before[:2])
