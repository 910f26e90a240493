"""The family `instruction_edit`: each class of its table edits, alone or in batches."""

import numpy as np
import pytest

from chatgenimage.testing import same_image
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.painters.pipelines_table import EDITING

INSTRUCTIONS = ["change the background to a beach", "paint it", "change it to a forest"]
SEEDS = [1, 2, 3]
pytestmark = pytest.mark.usefixtures("small_references")


@pytest.fixture(params=EDITING)
def editor(request, load_painter):
    return load_painter("instruction_edit", request.param)


@pytest.fixture
def pictures():
    """Images of which one needs padding."""
    draw = np.random.default_rng(0)
    return [
        draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for height, width in [(64, 64), (70, 80), (64, 64)]
    ]


def test_an_edit_has_the_size_of_its_image_and_is_the_same_in_any_batch(editor, pictures):
    edited = editor.edit(pictures, INSTRUCTIONS, SEEDS)
    assert [image.shape for image in edited] == [image.shape for image in pictures]
    assert not any(map(same_image, edited, pictures))
    (alone,) = editor.edit(pictures[2:], INSTRUCTIONS[2:], SEEDS[2:])
    assert same_image(edited[2], alone)


def test_an_edit_depends_on_image_and_seed(editor, pictures):
    first, other_image, other_seed = editor.edit(
        [pictures[0], pictures[2], pictures[0]], INSTRUCTIONS[:1] * 3, [1, 1, 2]
    )
    assert not np.array_equal(first, other_image)
    assert not same_image(first, other_seed)


def test_no_images_give_no_images(editor):
    assert editor.edit([], [], []) == []


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("instruction_edit", "FluxKontextPipeline"),
        ("instruction_edit", "StableDiffusionInstructPix2PixPipeline"),
        ("instruct_pix2pix", "StableDiffusionInstructPix2PixPipeline"),
    ],
)
def test_a_large_image_is_edited_smaller_and_brought_back(load_painter, family, name):
    editor = load_painter(family, name, edit_side_px=64)
    large = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    (edited,) = editor.edit([large], INSTRUCTIONS[:1], SEEDS[:1])
    assert edited.shape == large.shape
    whole = load_painter(family, name, edit_side_px=1024).edit([large], INSTRUCTIONS[:1], SEEDS[:1])
    assert detail(edited) < 0.7 * detail(whole[0])


def detail(image):
    """Return the mean difference of neighbours: little in an image that was enlarged."""
    return np.abs(np.diff(image.astype(float), axis=1)).mean()


def test_guidance_by_the_image_is_refused_where_there_is_none(load_painter):
    with pytest.raises(CheckpointBroken, match="delete `image_guidance_scale`"):
        load_painter("instruction_edit", "FluxKontextPipeline", image_guidance_scale=1.5)


def test_the_new_family_edits_as_the_old_one_does(load_painter, pictures):
    name = "StableDiffusionInstructPix2PixPipeline"
    old, new = (
        load_painter(family, name).edit(pictures[:1], INSTRUCTIONS[:1], SEEDS[:1])[0]
        for family in ("instruct_pix2pix", "instruction_edit")
    )
    np.testing.assert_array_equal(old, new)


def test_the_end_of_a_very_long_instruction_is_said_to_be_unread(editor):
    instruction = "change the background to a beach and " * 120
    (unread,) = editor.unread([instruction])
    assert instruction.strip().endswith(unread)
    assert len(unread) > 100
    assert editor.unread(["paint it"]) == [""]


def test_the_identity_has_what_the_table_decided(load_painter):
    settings = load_painter("instruction_edit", "FluxKontextPipeline").identity.settings
    assert (settings["guidance_scale"], settings["edit_side_px"]) == (3.5, 1024)
