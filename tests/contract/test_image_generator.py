import numpy as np
import pytest

from chatgenimage.testing import CHECKS, same_image
from chatgenimage.workers.errors import UnfitImage
from chatgenimage.workers.interfaces import ImageGenerator
from tests.contract.checkpoints import checkpoints
from tests.contract.conftest import SIZE_WH

LONG = "a dog in a forest, a house. " * 2
PROMPTS = ["a dog in a forest", "a cat on a beach", "a house in a city street"]


@pytest.fixture(params=checkpoints("stable_diffusion"))
def generator(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[ImageGenerator], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(generator, check):
    check(generator)


def test_one_image_of_the_asked_size_per_prompt(generator):
    images = generator.generate(PROMPTS, [1, 2, 3])
    assert [image.shape for image in images] == [(*SIZE_WH[::-1], 3)] * 3
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}


def test_filling_in_between_changes_nothing(generator, images):
    (before,) = generator.generate(PROMPTS[:1], [7])
    generator.fill(images[:1], [np.ones((64, 64), dtype=bool)], ["a dog"], [1])
    (after,) = generator.generate(PROMPTS[:1], [7])
    assert same_image(before, after)


def test_the_whole_of_a_prompt_longer_than_the_text_encoder_is_painted(generator):
    prompts = [LONG, f"{LONG} a beach.", "a dog", f"{LONG} a city street."]
    together = generator.generate(prompts, [1, 1, 2, 1])
    assert not same_image(together[0], together[1])
    assert not same_image(together[1], together[3])
    for index, seed in [(2, 2), (3, 1)]:
        assert same_image(together[index], generator.generate([prompts[index]], [seed])[0])
    assert generator.unread(prompts) == [""] * 4


def test_the_end_of_a_very_long_prompt_is_said_to_be_unread(generator):
    words = "a dog and a cat " * 200
    (unread,) = generator.unread([words])
    assert words.strip().endswith(unread)
    assert len(unread) > 100
    assert generator.generate([words], [1])[0].shape == (*SIZE_WH[::-1], 3)


def test_a_size_that_cannot_be_painted_is_refused_before_anything_is_loaded(load):
    with pytest.raises(UnfitImage, match="multiples of 8"):
        load("tiny", "stable_diffusion", size_wh=(64, 60))
