import numpy as np
import pytest

from chatgenimage.testing import CHECKS
from chatgenimage.workers.interfaces import ImageTextEncoder
from tests.contract.checkpoints import checkpoints
from tests.contract.kinds import kinds


@pytest.fixture(params=[*checkpoints("open_clip"), *kinds("similarity")])
def encoder(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[ImageTextEncoder], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(encoder, check):
    check(encoder)


def test_the_whole_of_a_text_longer_than_the_context_counts(encoder):
    long = "a dog and a cat in a forest, " * 20
    vectors = encoder.embed_texts([f"{long} a dog", "a dog", f"{long} a house on a beach"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)
    np.testing.assert_allclose(vectors[1], encoder.embed_texts(["a dog"])[0], atol=1e-4)
