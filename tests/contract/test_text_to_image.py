"""The family `text_to_image`: each class of its table generates, and fills if it can."""

import json
import shutil

import numpy as np
import pytest

from chatgenimage.testing import CHECKS, same_image
from chatgenimage.workers import interfaces
from chatgenimage.workers.errors import CheckpointBroken, UnfitImage, UnfitOptions
from chatgenimage.workers.image_options import find_problem
from chatgenimage.workers.painter_config import TextToImageConfig
from chatgenimage.workers.painters.option_limits import limits_of
from chatgenimage.workers.painters.pipelines_table import GENERATING
from chatgenimage.workers.values import ImageOptions
from tests.contract.conftest import SIZE_WH

PROMPTS, SEEDS = ["a dog", "a house in a city street", "a dog"], [1, 2, 3]
FILLING = [name for name, row in GENERATING.items() if row.filler]
BY_LANGUAGE_MODELS = [name for name, row in GENERATING.items() if row.most_tokens]


@pytest.fixture(params=GENERATING)
def generator(request, load_painter):
    return load_painter("text_to_image", request.param)


@pytest.fixture(params=FILLING)
def filler(request, load_painter):
    return load_painter("text_to_image", request.param)


def test_prompt_and_seed_give_the_same_image_in_any_batch(generator):
    images = generator.generate(PROMPTS, SEEDS)
    assert [image.shape for image in images] == [(*SIZE_WH[::-1], 3)] * 3
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    (alone,) = generator.generate(PROMPTS[1:2], SEEDS[1:2])
    assert same_image(images[1], alone)
    assert not same_image(images[0], images[2])


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "SanaPipeline", "FluxPipeline"])
def test_an_image_has_its_own_size_and_negative_prompt_in_any_batch(load_painter, name):
    generator = load_painter("text_to_image", name)
    for check in CHECKS[interfaces.OptionsGenerator]:
        check(generator)


@pytest.mark.parametrize(
    ("name", "settings", "options", "part"),
    [
        ("FluxPipeline", {}, ImageOptions(negative_prompt="snow"), "has no negative prompt"),
        ("ChromaPipeline", {"guidance_scale": 1.0}, ImageOptions(negative_prompt="snow"), "above"),
        ("SanaPipeline", {}, ImageOptions((80, 64)), "multiples of 32; write 64x64 or 96x64"),
        ("FluxPipeline", {}, ImageOptions((88, 64)), "multiples of 16; write 80x64 or 96x64"),
    ],
)
def test_options_of_an_image_that_a_class_cannot_follow_are_refused(
    load_painter, name, settings, options, part
):
    generator = load_painter("text_to_image", name, **settings)
    with pytest.raises(UnfitOptions, match=part):
        generator.generate_with(["a dog"], [1], [options])
    folder = generator.config.checkpoint
    config = TextToImageConfig(checkpoint=folder, size_wh=SIZE_WH, **settings)
    assert part in find_problem(limits_of(config), options)  # known without loading it


def test_a_checkpoint_that_is_not_here_paints_sizes_that_all_classes_paint():
    limits = limits_of(TextToImageConfig(checkpoint="nobody/has-this"))
    assert (limits.multiple_px, limits.no_negative_prompt) == (32, None)
    unguided = limits_of(TextToImageConfig(checkpoint="nobody/has-this", guidance_scale=0))
    assert "is not guided with `guidance_scale: 0`" in unguided.no_negative_prompt


def test_no_prompts_give_no_images(generator):
    assert generator.generate([], []) == []


def test_a_family_fills_only_if_its_class_can(generator):
    is_filler = isinstance(generator, interfaces.ObjectFiller)
    assert is_filler == (type(generator._pipeline).__name__ in FILLING)  # noqa: SLF001


def test_a_fill_changes_the_masked_part_alone_and_is_the_same_in_any_batch(
    filler, images, mask_images
):
    (before,) = filler.generate(PROMPTS[:1], [7])
    filled = filler.fill(images, mask_images, PROMPTS, SEEDS)
    for image, original, mask in zip(filled, images, mask_images, strict=True):
        np.testing.assert_array_equal(image[~mask], original[~mask])
        assert (image[mask] != original[mask]).mean() > 0.5
    (alone,) = filler.fill(images[2:], mask_images[2:], PROMPTS[2:], SEEDS[2:])
    assert same_image(filled[2], alone)
    (after,) = filler.generate(PROMPTS[:1], [7])
    assert same_image(before, after)


@pytest.mark.parametrize("name", BY_LANGUAGE_MODELS)
def test_the_end_of_a_prompt_that_is_said_to_be_unread_is_not_painted(load_painter, name):
    family = load_painter("text_to_image", name, num_inference_steps=1)
    prompt = "a dog and " * 60
    (unread,) = family.unread([prompt])
    read = prompt.strip().removesuffix(unread)
    assert 80 < len(read) < 520
    whole, cut, other = (
        family.generate([text], [1])[0] for text in (prompt, f"{read}zebra", f"{read[:-3]}zzz")
    )
    assert np.array_equal(whole, cut)
    if name != "QwenImagePipeline":  # the words around a prompt are longer in the tiny vocabulary
        assert not np.array_equal(whole, other)
    assert family.unread(["a dog"]) == [""]


def refusal(error, load_painter, name, **settings):
    with pytest.raises(error) as refused:
        load_painter("text_to_image", name, **settings)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "side"), [("FluxPipeline", 16), ("ChromaPipeline", 16), ("SanaPipeline", 32)]
)
def test_a_size_that_would_be_painted_smaller_is_refused(load_painter, name, side):
    said = refusal(UnfitImage, load_painter, name, size_wh=(64, 72))
    assert (
        f"multiples of {side}. The nearest are [64, {64}] and [64, {72 - 72 % side + side}]" in said
    )


@pytest.mark.parametrize("name", ["FluxPipeline", "Flux2KleinPipeline"])
def test_a_negative_prompt_that_a_class_ignores_is_refused(load_painter, name):
    assert "delete `negative_prompt`" in refusal(
        CheckpointBroken, load_painter, name, negative_prompt="blur"
    )


@pytest.mark.parametrize("name", ["QwenImagePipeline", "ZImagePipeline", "ChromaPipeline"])
def test_guidance_and_a_negative_prompt_have_an_effect(load_painter, name):
    plain, guided, negative = (
        load_painter("text_to_image", name, **settings).generate(["a dog"], [1])[0]
        for settings in ({}, {"guidance_scale": 60.0}, {"negative_prompt": "a house"})
    )
    assert not same_image(plain, guided)
    assert not np.array_equal(plain, negative)


def test_guidance_of_a_distilled_checkpoint_is_refused(painter_folder, tmp_path, load_painter):
    folder = shutil.copytree(painter_folder("Flux2KleinPipeline"), tmp_path / "distilled")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"is_distilled": True}))
    for setting in ("guidance_scale", "fill_guidance_scale"):
        said = refusal(
            CheckpointBroken,
            load_painter,
            "Flux2KleinPipeline",
            checkpoint=str(folder),
            **{setting: 4.0},
        )
        assert f"is distilled, and guidance has no effect on it; delete `{setting}`" in said
    family = load_painter("text_to_image", "Flux2KleinPipeline", checkpoint=str(folder))
    assert family.identity.settings["guidance_scale"] == 1.0


@pytest.mark.parametrize(
    ("name", "setting", "strength"),
    [
        ("ZImagePipeline", "guidance_scale", 0.0),
        ("ChromaPipeline", "guidance_scale", 1.0),
        ("QwenImagePipeline", "fill_guidance_scale", 1.0),
    ],
)
def test_a_negative_prompt_without_guidance_is_refused(load_painter, name, setting, strength):
    settings = {"negative_prompt": "blur", setting: strength}
    said = refusal(CheckpointBroken, load_painter, name, **settings)
    assert f"with `{setting}: {strength:g}`; delete it, or set" in said


def test_z_image_reads_a_negative_prompt_at_weak_guidance(load_painter):
    settings = {"guidance_scale": 1.0, "fill_guidance_scale": 1.0}
    plain, negative = (
        load_painter("text_to_image", "ZImagePipeline", **settings, negative_prompt=text)
        for text in ("", "a house")
    )
    images = [family.generate(["a dog"], [1])[0] for family in (plain, negative)]
    assert not np.array_equal(*images)


def test_a_mask_that_cannot_change_between_steps_is_refused(load_painter):
    settings = {"fill_mask_growth": 2}
    assert "set `fill_mask_growth: 0`" in refusal(
        CheckpointBroken, load_painter, "FluxPipeline", **settings
    )


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "ZImagePipeline"])
def test_a_mask_that_shrinks_is_painted_otherwise(load_painter, images, mask_images, name):
    plain, shrinking = (
        load_painter("text_to_image", name, fill_mask_growth=cells, fill_num_inference_steps=4)
        for cells in (0, 2)
    )
    (before,), (after,) = (
        family.fill(images[:1], mask_images[:1], PROMPTS[:1], SEEDS[:1])
        for family in (plain, shrinking)
    )
    outside = ~mask_images[0]
    np.testing.assert_array_equal(after[outside], images[0][outside])
    assert not same_image(before, after)


def test_a_class_that_no_row_knows_is_refused_with_those_that_are_known(
    painter_folder, tmp_path, load_painter
):
    folder = shutil.copytree(painter_folder("FluxPipeline"), tmp_path / "new")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "NewPipeline"}))
    said = refusal(CheckpointBroken, load_painter, "FluxPipeline", checkpoint=str(folder))
    assert "class NewPipeline, and text_to_image knows StableDiffusionPipeline, " in said
    assert "add a row" in said


def test_the_identity_has_what_the_table_decided(load_painter):
    identity = load_painter("text_to_image", "FluxPipeline").identity
    assert len(identity.revision) == 16
    decided = {"guidance_scale": 3.5, "fill_guidance_scale": 7.0, "fill_strength": 1.0}
    assert decided.items() <= identity.settings.items()
