"""Tests of the plug-in, by the contract checks of the factory."""

import numpy as np
import pytest
from chatgenimage_blocks.blocks import Blocks, colour_of
from chatgenimage_blocks.colourfulness import COLOURFULNESS
from chatgenimage_blocks.settings import BlocksConfig
from chatgenimage_blocks.toml_labels import read_toml

from chatgenimage.tasks.rule import RuleInput
from chatgenimage.testing import (
    CHECKS,
    ContractBroken,
    check_family,
    check_label_reader,
    check_rule,
)

GREY = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8).repeat(3, axis=2)


@pytest.fixture
def blocks():
    """Return the family, loaded."""
    return Blocks.load(BlocksConfig(), "cpu")


def test_the_family_keeps_every_contract(blocks):
    not_able = {each.__name__ for each in CHECKS} - set(check_family(blocks))
    assert not_able == {"DetectorSegmenter", "LanguageModel", "VisualJudge"}


def test_a_method_that_is_missing_is_named():
    class WithoutTexts(Blocks):
        embed_texts = property()

    with pytest.raises(ContractBroken, match="ImageTextEncoder needs embed_texts too"):
        check_family(WithoutTexts(BlocksConfig()))


def test_what_is_painted_is_found_in_its_place(blocks):
    (image,) = blocks.generate(["a dog next to a red car"], [1])
    ((dog, car),) = blocks.detect([image], [["dog", "robot", "car"]])
    assert (dog.label, car.label) == ("dog", "car")
    left, top, right, bottom = map(int, dog.box_xyxy)
    assert (image[top:bottom, left:right] == colour_of("dog")).all()


def test_the_rule_accepts_colours_and_rejects_grey(blocks):
    (painted,) = blocks.generate(["a dog next to a red car"], [1])
    check_rule(COLOURFULNESS, good=RuleInput(painted), bad=RuleInput(GREY))
    with pytest.raises(ContractBroken, match=r"the good image has colourfulness 0.0; at least 5"):
        check_rule(COLOURFULNESS, good=RuleInput(GREY), bad=RuleInput(GREY))


def test_the_reader_reads_tables_and_reports_what_is_none():
    check_label_reader(
        read_toml,
        "[dog]\nper_label = 4\n[house]\n",
        ["dog", "house"],
        broken=["[dog", "dog = 3"],
    )
