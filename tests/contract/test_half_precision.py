import numpy as np
import pytest

from tests.contract.kinds import kinds

MASK = np.ones((64, 64), dtype=bool)
BOX = (4.0, 4.0, 60.0, 60.0)
WORK = {
    "stable_diffusion": [
        lambda family, _: family.generate(["a dog"], [1]),
        lambda family, image: family.fill([image], [MASK], ["a dog"], [1]),
    ],
    "instruct_pix2pix": [lambda family, image: family.edit([image], ["paint it"], [1])],
    "blip2": [lambda family, image: family.caption([image])],
    "grounding_dino": [lambda family, image: family.detect([image], [["dog", "house"]])],
    "segment_anything": [lambda family, image: family.segment([image], [[BOX]])],
    "open_clip": [
        lambda family, image: family.embed_images([image]),
        lambda family, _: family.embed_texts(["a dog"]),
    ],
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", WORK)
def test_a_family_works_in_half_precision(load, images, name, dtype):
    family = load("tiny", name, dtype=dtype)
    assert family.identity.settings["dtype"] == dtype
    for work in WORK[name]:
        assert len(work(family, images[0])) == 1


BY_CAPABILITY = {
    "zero_shot_detector": WORK["grounding_dino"][0],
    "mask_generator": WORK["segment_anything"][0],
    "vision_language": WORK["blip2"][0],
    "similarity": WORK["open_clip"][0],
    "sam3": lambda family, image: family.find([image], [["dog", "house"]]),
}


@pytest.mark.parametrize("checkpoint", kinds(*BY_CAPABILITY))
def test_an_architecture_works_in_half_precision(load, images, checkpoint):
    kind, name = checkpoint
    family = load(kind, name, dtype="bfloat16")
    assert len(BY_CAPABILITY[name](family, images[0])) == 1
