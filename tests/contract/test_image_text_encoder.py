import numpy as np
import pytest

from tests.contract.checkpoints import checkpoints
from tests.contract.kinds import kinds


@pytest.fixture(params=[*checkpoints("open_clip"), *kinds("similarity")])
def encoder(request, load):
    return load(*request.param)


def test_images_and_texts_become_unit_vectors_of_one_space(encoder, images):
    of_images = encoder.embed_images(images)
    of_texts = encoder.embed_texts(["a dog in a forest", ""])
    assert of_images.shape == (3, of_texts.shape[1])
    assert of_images.dtype == of_texts.dtype == np.float32
    for vectors in (of_images, of_texts):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_vector_is_the_same_in_any_batch(encoder, images):
    np.testing.assert_allclose(
        encoder.embed_images(images)[1], encoder.embed_images(images[1:2])[0], atol=1e-4
    )
    np.testing.assert_allclose(
        encoder.embed_texts(["a dog", "a cat"])[1], encoder.embed_texts(["a cat"])[0], atol=1e-4
    )


def test_the_whole_of_a_text_longer_than_the_context_counts(encoder):
    long = "a dog and a cat in a forest, " * 20
    vectors = encoder.embed_texts([f"{long} a dog", "a dog", f"{long} a house on a beach"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)
    np.testing.assert_allclose(vectors[1], encoder.embed_texts(["a dog"])[0], atol=1e-4)


def test_nothing_gives_an_empty_array_of_the_same_width(encoder, images):
    width = encoder.embed_images(images).shape[1]
    assert encoder.embed_images([]).shape == (0, width)
    assert encoder.embed_texts([]).shape == (0, width)
