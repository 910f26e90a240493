import pytest

from chatgenimage.testing import CHECKS, same_image
from chatgenimage.workers.interfaces import BackgroundEditor
from tests.contract.checkpoints import checkpoints

INSTRUCTIONS = ["change the background to a beach", "change the background to a forest"]


@pytest.fixture(params=checkpoints("instruct_pix2pix"))
def editor(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[BackgroundEditor], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(editor, check):
    check(editor)


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
