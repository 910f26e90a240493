import json
import shutil

import numpy as np
import pytest

from chatgenimage.testing import CHECKS, same_image
from chatgenimage.workers.errors import UnfitImage, UnfitOptions
from chatgenimage.workers.interfaces import ImageGenerator, OptionsGenerator
from chatgenimage.workers.painter_config import StableDiffusionConfig
from chatgenimage.workers.painters.option_limits import limits_of
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions
from tests.contract.checkpoints import checkpoints
from tests.contract.conftest import SIZE_WH

LONG = "a dog in a forest, a house. " * 2
PROMPTS = ["a dog in a forest", "a cat on a beach", "a house in a city street"]


@pytest.fixture(params=checkpoints("stable_diffusion"))
def generator(request, load):
    return load(*request.param)


@pytest.mark.parametrize(
    "check",
    CHECKS[ImageGenerator] + CHECKS[OptionsGenerator],
    ids=lambda check: check.__name__,
)
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


def test_sizes_negative_prompts_and_lengths_are_mixed_in_a_batch(generator):
    wide, named = ImageOptions((96, 64)), ImageOptions((96, 64), "a house " * 60)
    prompts, options = [LONG, "a dog", LONG, "a dog"], [wide, named, NO_OPTIONS, named]
    together = generator.generate_with(prompts, [1, 2, 3, 4], options)
    assert [image.shape[:2] for image in together] == [(64, 96), (64, 96), (64, 64), (64, 96)]
    for index in range(4):
        (alone,) = generator.generate_with([prompts[index]], [index + 1], [options[index]])
        assert same_image(together[index], alone)


@pytest.mark.parametrize(
    ("settings", "options", "part"),
    [
        ({}, ImageOptions((60, 64)), "write 56x64 or 64x64"),
        ({}, ImageOptions((136, 128)), "expected 1024 to 16384 pixels"),
        ({"guidance_scale": 1.0}, ImageOptions(negative_prompt="snow"), "above 1"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(load, settings, options, part):
    generator = load("tiny", "stable_diffusion", **settings)
    with pytest.raises(UnfitOptions, match=part):
        generator.generate_with(PROMPTS[:1], [1], [options])
    assert limits_of(generator.config).size_wh == SIZE_WH


def test_a_distilled_checkpoint_takes_no_negative_prompt(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder / "stable_diffusion", tmp_path / "distilled")
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps(config | {"time_cond_proj_dim": 8}))
    limits = limits_of(StableDiffusionConfig(checkpoint=str(folder)))
    assert "is distilled and has no negative prompt" in str(limits.no_negative_prompt)


def test_a_size_that_cannot_be_painted_is_refused_before_anything_is_loaded(load):
    with pytest.raises(UnfitImage, match="multiples of 8"):
        load("tiny", "stable_diffusion", size_wh=(64, 60))
