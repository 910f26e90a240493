import pytest

from tests.contract.checkpoints import checkpoints
from tests.contract.kinds import kinds


@pytest.fixture(params=[*checkpoints("blip2"), *kinds("vision_language")])
def captioner(request, load):
    return load(*request.param)


def test_one_stripped_caption_per_image(captioner, images):
    captions = captioner.caption(images)
    assert len(captions) == len(images)
    assert all(caption == caption.strip() for caption in captions)
    assert not any("\n" in caption for caption in captions)


@pytest.mark.parametrize("checkpoint", checkpoints("blip2"))
def test_a_caption_has_no_special_words(load, checkpoint, images):
    captions = load(*checkpoint).caption(images)
    assert not any("<" in caption.replace("</w>", "") for caption in captions)


def test_a_caption_is_the_same_in_any_batch(captioner, images):
    together = captioner.caption(images)
    assert [captioner.caption([image])[0] for image in images] == together


def test_no_images_give_no_captions(captioner):
    assert captioner.caption([]) == []


def test_a_length_penalty_favours_longer_captions(load, images):
    terse, wordy = (
        load("micro", "blip2", max_new_tokens=24, num_beams=4, length_penalty=penalty)
        for penalty in (-8.0, 8.0)
    )
    lengths = [sum(map(len, captioner.caption(images))) for captioner in (terse, wordy)]
    assert lengths[0] < lengths[1]
