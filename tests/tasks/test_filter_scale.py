"""Probabilities of backgrounds use the logit scale of the checkpoint."""

from types import SimpleNamespace

import numpy as np
import pytest

from chatgenimage.db.states import Origin
from chatgenimage.tasks import filter as filter_step
from chatgenimage.tasks.filter_measures import FilterInput, measure
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers.values import LogitScale, ModelIdentity

SUBJECT = FilterInput(1, Origin.EDITED, ("dog",), "0", "a dog on a beach", (), ("a dog at night",))
PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
COSINES = np.float32([0.30, 0.28])


class Encoder:
    """Knows one image; its cosines with the two texts are fixed."""

    identity = ModelIdentity("fixed", "none", "1")

    def __init__(self, scale, bias):
        self.logit_scale = LogitScale(scale, bias)

    def embed_images(self, images):
        return np.float32([[1.0, 0.0]] * len(images))

    def embed_texts(self, texts):
        return np.stack([COSINES, np.sqrt(1 - COSINES**2)], axis=1)[: len(texts)]


@pytest.mark.parametrize(
    ("scale", "bias", "expected"),
    [
        pytest.param(100.0, None, 1 / (1 + np.exp(-2)), id="clip"),
        pytest.param(20.0, None, 1 / (1 + np.exp(-0.4)), id="another temperature"),
        pytest.param(110.0, -12.0, 1 / (1 + np.exp(-2.2)), id="siglip"),
    ],
)
def test_the_background_is_as_likely_as_the_checkpoint_was_trained(scale, bias, expected):
    images = SimpleNamespace(get=lambda _: PIXELS)
    resources = Resources(None, images, [Encoder(scale, bias)], None, "test")
    [embedded] = filter_step.compute(resources, [SUBJECT])
    scores = measure(resources, SUBJECT, embedded).scores
    assert scores["background_probability"] == pytest.approx(expected, abs=1e-5)
