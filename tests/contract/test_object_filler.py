import numpy as np
import pytest

from chatgenimage.workers.errors import UnfitImage
from tests.contract.checkpoints import checkpoints
from tests.contract.same import same_image

PROMPTS = ["a dog", "a cat", "a tree"]
SEEDS = [1, 2, 3]


@pytest.fixture(params=checkpoints("stable_diffusion"))
def filler(request, load):
    return load(*request.param)


def test_every_pixel_outside_the_mask_is_unchanged(filler, images, mask_images):
    originals = [image.copy() for image in images]
    filled = filler.fill(images, mask_images, PROMPTS, SEEDS)
    for image, original, mask in zip(filled, originals, mask_images, strict=True):
        np.testing.assert_array_equal(image[~mask], original[~mask])
        assert (image[mask] != original[mask]).mean() > 0.5


def test_the_images_given_are_left_alone(filler, images, mask_images):
    originals = [image.copy() for image in images]
    filler.fill(images, mask_images, PROMPTS, SEEDS)
    np.testing.assert_equal(images, originals)


def test_the_same_seed_gives_the_same_image_in_any_batch(filler, images, mask_images):
    together = filler.fill(images, mask_images, PROMPTS, SEEDS)
    (alone,) = filler.fill(images[2:], mask_images[2:], PROMPTS[2:], SEEDS[2:])
    assert same_image(together[2], alone)


def test_the_whole_of_a_prompt_longer_than_the_text_encoder_is_painted(filler, images, mask_images):
    prompts = ["a dog in a forest, " * 4 + end for end in ("a beach", "a city street")]
    arguments = [images[0]] * 3, [mask_images[0]] * 3, [*prompts, "a dog"], [1, 1, 2]
    together = filler.fill(*arguments)
    assert not same_image(together[0], together[1])
    (alone,) = filler.fill(*(one[1:2] for one in arguments))
    assert same_image(together[1], alone)


def test_a_mask_smaller_than_a_latent_cell_is_painted(filler, images):
    mask = np.zeros((64, 64), dtype=bool)
    mask[33, 21] = True
    (filled,) = filler.fill(images[:1], [mask], ["a dog"], [1])
    assert (filled != images[0]).any(axis=2).sum() <= 1


def test_an_empty_mask_changes_nothing(filler, images):
    (filled,) = filler.fill(images[:1], [np.zeros((64, 64), dtype=bool)], ["a dog"], [1])
    np.testing.assert_array_equal(filled, images[0])


def test_a_mask_of_another_size_is_refused(filler, images):
    with pytest.raises(UnfitImage, match="does not fit"):
        filler.fill(images[:1], [np.zeros((32, 64), dtype=bool)], ["a dog"], [1])


def test_no_images_give_no_images(filler):
    assert filler.fill([], [], [], []) == []


def test_a_mask_that_shrinks_is_painted_otherwise_and_still_only_inside(load, images, mask_images):
    plain = load("tiny", "stable_diffusion", fill_num_inference_steps=4)
    shrinking = load("tiny", "stable_diffusion", fill_num_inference_steps=4, fill_mask_growth=2)
    (before,), (after,) = (
        family.fill(images[:1], mask_images[:1], PROMPTS[:1], SEEDS[:1])
        for family in (plain, shrinking)
    )
    outside = ~mask_images[0]
    np.testing.assert_array_equal(after[outside], images[0][outside])
    assert not same_image(before, after)
