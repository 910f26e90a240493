import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from chatgenimage.workers import fingerprints


def bits_apart(one, other):
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.fixture
def photo():
    return data.astronaut()[:256, :256]


def test_what_looks_alike_has_nearly_the_same_hash_and_what_does_not_has_another(photo):
    hashed = fingerprints.perceptual_hash(photo)
    assert len(hashed) == 16
    lighter = np.clip(photo * 1.1, 0, 255).astype(np.uint8)
    softer = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(1)))
    for alike in (lighter, softer):
        assert bits_apart(hashed, fingerprints.perceptual_hash(alike)) <= 6
    assert bits_apart(hashed, fingerprints.perceptual_hash(data.coffee()[:256, :256])) > 12


def test_an_embedding_comes_back_as_a_unit_vector():
    vector = np.random.default_rng(0).normal(size=128).astype(np.float32)
    vector /= np.linalg.norm(vector)
    packed = fingerprints.pack(vector)
    assert len(packed) == 256
    back = fingerprints.unpack(packed)
    assert np.linalg.norm(back) == pytest.approx(1.0)
    assert fingerprints.cosine(vector, back) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("most_bits", [0, 3, fingerprints.MOST_BITS])
@pytest.mark.parametrize("pairs_at_once", [50, 4_000_000], ids=["in slices", "at once"])
def test_near_pairs_are_those_of_comparing_all(most_bits, pairs_at_once):
    rng = np.random.default_rng(most_bits)
    strangers = rng.integers(0, 2**64, 200, dtype=np.uint64)
    near = strangers.copy()
    for _ in range(fingerprints.MOST_BITS + 2):
        near = near ^ (np.uint64(1) << rng.integers(0, 64, len(near), dtype=np.uint64))
        strangers = np.concatenate([strangers, near])
    hashes = np.unique(strangers)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(apart <= most_bits, 1))
    assert most_bits == 0 or len(expected) > 100
    found = fingerprints.near_pairs(hashes, most_bits, pairs_at_once)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_near_to_nothing(count):
    assert fingerprints.near_pairs(np.arange(count, dtype=np.uint64), 7).shape == (0, 2)
