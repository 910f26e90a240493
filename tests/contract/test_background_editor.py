import pytest

from tests.contract.checkpoints import checkpoints
from tests.contract.same import same_image

INSTRUCTIONS = ["change the background to a beach", "change the background to a forest"]


@pytest.fixture(params=checkpoints("instruct_pix2pix"))
def editor(request, load):
    return load(*request.param)


def test_each_edited_image_has_the_size_of_its_input(editor, images):
    edited = editor.edit(images[:2], INSTRUCTIONS, [1, 2])
    assert [image.shape for image in edited] == [image.shape for image in images[:2]]
    assert not any(map(same_image, edited, images))


def test_the_same_seed_gives_the_same_image_in_any_batch(editor, images):
    together = editor.edit(images, [*INSTRUCTIONS, INSTRUCTIONS[0]], [1, 2, 3])
    (alone,) = editor.edit(images[2:], INSTRUCTIONS[:1], [3])
    assert same_image(together[2], alone)


def test_other_seeds_give_other_images(editor, images):
    one, other = editor.edit([images[0]] * 2, INSTRUCTIONS[:1] * 2, [1, 2])
    assert not same_image(one, other)


def test_the_whole_of_an_instruction_longer_than_the_text_encoder_counts(editor, images):
    long = "change the background to a beach, a forest, " * 2
    instructions = [f"{long} a dog", INSTRUCTIONS[1], f"{long} a house"]
    together = editor.edit([images[0]] * 3, instructions, [1, 2, 1])
    assert not same_image(together[0], together[2])
    assert same_image(together[0], editor.edit(images[:1], instructions[:1], [1])[0])
    assert editor.unread(instructions) == [""] * 3


def test_no_images_give_no_images(editor):
    assert editor.edit([], [], []) == []
