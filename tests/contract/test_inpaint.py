"""The family `inpaint`: each class of its table fills, and so does each that shares its weights."""

from dataclasses import replace

import numpy as np
import pytest

from chatgenimage.testing import same_image
from chatgenimage.workers.errors import CheckpointBroken, UnfitImage
from chatgenimage.workers.painters.inpaint import CLASSES
from chatgenimage.workers.painters.pipelines_table import FILLING
from tests.contract import tiny_painters

PROMPTS, SEEDS = ["a dog", "a house in a city street", "a dog"], [1, 2, 3]
PUBLISHED = [name for name in CLASSES if name in {**tiny_painters.OLDER, **tiny_painters.PARTS}]


@pytest.fixture(params=PUBLISHED)
def filler(request, load_painter):
    return load_painter("inpaint", request.param)


def test_every_class_that_fills_is_run(load_painter):
    assert {CLASSES[name] for name in PUBLISHED} == set(CLASSES.values())


def test_the_masked_part_alone_changes_and_is_the_same_in_any_batch(filler, images, mask_images):
    filled = filler.fill(images, mask_images, PROMPTS, SEEDS)
    for image, original, mask in zip(filled, images, mask_images, strict=True):
        np.testing.assert_array_equal(image[~mask], original[~mask])
        assert (image[mask] != original[mask]).mean() > 0.5
    (alone,) = filler.fill(images[2:], mask_images[2:], PROMPTS[2:], SEEDS[2:])
    assert same_image(filled[2], alone)
    (other,) = filler.fill(images[2:], mask_images[2:], PROMPTS[2:], [4])
    assert not same_image(filled[2], other)


def test_nothing_to_fill(filler, images):
    assert filler.fill([], [], [], []) == []
    with pytest.raises(UnfitImage, match="does not fit"):
        filler.fill(images[:1], [np.zeros((32, 64), dtype=bool)], ["a dog"], [1])


@pytest.mark.parametrize("name", ["FluxFillPipeline", "FluxKontextPipeline"])
def test_an_enlarged_crop_is_painted(load_painter, images, mask_images, name):
    settings = {"fill_zoom_share": 0.75, "num_inference_steps": 1}
    family = load_painter("inpaint", name, **settings)
    (filled,) = family.fill(images[1:2], mask_images[1:2], PROMPTS[:1], SEEDS[:1])
    outside = ~mask_images[1]
    np.testing.assert_array_equal(filled[outside], images[1][outside])


def test_an_image_larger_than_a_class_paints_is_filled_at_its_own_size(load_painter):
    """FLUX.2 Klein returns an image of a megapixel for a larger one; here the limit is smaller."""
    assert FILLING["Flux2KleinInpaintPipeline"].most_px == 1024**2
    whole = load_painter("inpaint", "Flux2KleinPipeline")._filler  # noqa: SLF001
    family = replace(whole, row=replace(whole.row, most_px=64 * 80))
    image, mask = np.zeros((90, 100, 3), np.uint8), np.zeros((90, 100), dtype=bool)
    mask[20:50, 30:70] = True
    (filled,) = family.fill([image], [mask], ["a dog"], [1])
    assert filled.shape == image.shape
    assert not filled[~mask].any()
    assert filled[mask].any()


@pytest.mark.parametrize("name", ["FluxFillPipeline", "StableDiffusionInpaintPipeline"])
def test_a_mask_that_cannot_change_between_steps_is_refused(load_painter, name):
    """A network that sees mask and image was trained with one mask for all steps."""
    with pytest.raises(CheckpointBroken, match="does not let the mask change between steps"):
        load_painter("inpaint", name, fill_mask_growth=2)


def test_less_strength_keeps_more_of_the_old_content(load_painter, images, mask_images):
    distances = [
        np.abs(
            load_painter("inpaint", "FluxPipeline", strength=strength, num_inference_steps=5)
            .fill(images[:1], mask_images[:1], PROMPTS[:1], SEEDS[:1])[0]
            .astype(float)
            - images[0]
        ).mean()
        for strength in (0.2, 1.0)
    ]
    assert distances[0] < distances[1]


def test_the_identity_has_what_the_table_decided(load_painter):
    settings = load_painter("inpaint", "FluxFillPipeline").identity.settings
    assert (settings["guidance_scale"], settings["strength"]) == (30.0, 1.0)
