import pytest

from chatgenimage.testing import CHECKS
from chatgenimage.workers.interfaces import Captioner
from tests.contract.checkpoints import checkpoints
from tests.contract.kinds import kinds


@pytest.fixture(params=[*checkpoints("blip2"), *kinds("vision_language")])
def captioner(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[Captioner], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(captioner, check):
    check(captioner)


@pytest.mark.parametrize("checkpoint", checkpoints("blip2"))
def test_a_caption_has_no_special_words(load, checkpoint, images):
    captions = load(*checkpoint).caption(images)
    assert not any("<" in caption.replace("</w>", "") for caption in captions)


def test_a_length_penalty_favours_longer_captions(load, images):
    terse, wordy = (
        load("micro", "blip2", max_new_tokens=24, num_beams=4, length_penalty=penalty)
        for penalty in (-8.0, 8.0)
    )
    lengths = [sum(map(len, captioner.caption(images))) for captioner in (terse, wordy)]
    assert lengths[0] < lengths[1]
