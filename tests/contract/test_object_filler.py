import numpy as np
import pytest

from chatgenimage.testing import CHECKS, same_image
from chatgenimage.workers.errors import UnfitImage
from chatgenimage.workers.interfaces import ObjectFiller
from tests.contract.checkpoints import checkpoints

PROMPTS = ["a dog", "a cat", "a tree"]
SEEDS = [1, 2, 3]


@pytest.fixture(params=checkpoints("stable_diffusion"))
def filler(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[ObjectFiller], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(filler, check):
    check(filler)


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


def test_a_mask_of_another_size_is_refused(filler, images):
    with pytest.raises(UnfitImage, match="does not fit"):
        filler.fill(images[:1], [np.zeros((32, 64), dtype=bool)], ["a dog"], [1])


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
