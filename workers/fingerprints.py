"""Fingerprints: perceptual hashes and packed embeddings, to find near-duplicate images."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chatgenimage.workers.values import RgbImage

HASH_BITS = 64
CHUNKS = 4
"""Number of parts into which a hash is split for lookup."""
BITS_PER_CHUNK = HASH_BITS // CHUNKS
MOST_BITS = 2 * CHUNKS - 1
"""Maximum distance at which one part is certain to differ in one bit at most."""
PAIRS_AT_ONCE = 4_000_000
STORED = np.dtype("<f2")
"""Half precision: the cosine of two unit vectors is accurate to 0.001."""


def perceptual_hash(image: RgbImage) -> str:
    """Return the signs of an image's lowest frequencies (pHash); similar images have similar bits.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        64 bits as 16 hexadecimal digits.
    """
    import imagehash

    return str(imagehash.phash(Image.fromarray(image)))


def pack(embedding: NDArray[np.float32]) -> bytes:
    """Return a unit vector of D floats as 2 D bytes."""
    return embedding.astype(STORED).tobytes()


def unpack(packed: bytes) -> NDArray[np.float32]:
    """Return the unit vector that was packed."""
    vector = np.frombuffer(packed, STORED).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def unpack_many(packed: Sequence[bytes]) -> NDArray[np.float32]:
    """Return (N, D) unit vectors that were packed, all of the same length."""
    vectors = np.frombuffer(b"".join(packed), STORED).astype(np.float32)
    vectors = vectors.reshape(len(packed), -1)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of two unit vectors, in [-1, 1]."""
    return float(np.clip(one @ other, -1, 1))


def near_pairs(
    hashes: NDArray[np.uint64], most_bits: int, pairs_at_once: int = PAIRS_AT_ONCE
) -> NDArray[np.int64]:
    """Return the pairs of hashes that differ in a few bits only.

    Each hash is split into four parts. Two hashes that differ in at most seven bits have a part in
    which they differ in at most one bit, so only hashes that share such a part are compared
    (multi-index hashing, Norouzi et al. 2012): a million take a minute instead of hours.

    Args:
        hashes: (N,) uint64.
        most_bits: From 0 to 7.
        pairs_at_once: About how many pairs are compared at the same time.

    Returns:
        (P, 2) indices, the lower one first, every pair once.
    """
    found = [
        pairs[_distances(hashes, pairs) <= most_bits]
        for chunk in range(CHUNKS)
        for pairs in _meeting(
            (hashes >> np.uint64(chunk * BITS_PER_CHUNK)).astype(np.uint16), pairs_at_once
        )
    ]
    return np.unique(np.concatenate([np.empty((0, 2), np.int64), *found]), axis=0)


def _meeting(parts: NDArray[np.uint16], pairs_at_once: int) -> Iterator[NDArray[np.int64]]:
    """Yield pairs of indices whose parts differ in at most one bit, in blocks."""
    order = np.argsort(parts, kind="stable")
    ordered = parts[order]
    for flipped in (0, *(1 << bit for bit in range(BITS_PER_CHUNK))):
        wanted = parts ^ np.uint16(flipped)
        first = np.searchsorted(ordered, wanted, "left")
        counts = np.searchsorted(ordered, wanted, "right") - first
        for rows in _slices(counts, pairs_at_once):
            ones = np.repeat(np.arange(rows.start, rows.stop), counts[rows])
            starts = np.repeat(first[rows] - (np.cumsum(counts[rows]) - counts[rows]), counts[rows])
            others = order[starts + np.arange(len(ones))]
            yield np.stack([ones, others], axis=1)[ones < others]


def _slices(counts: NDArray[np.int64], pairs_at_once: int) -> Iterator[slice]:
    """Yield ranges of rows that together have about `pairs_at_once` pairs."""
    turns = np.cumsum(counts) // pairs_at_once
    bounds = [0, *(np.flatnonzero(np.diff(turns)) + 1).tolist(), len(counts)]
    for start, stop in pairwise(bounds):
        yield slice(start, stop)


def _distances(hashes: NDArray[np.uint64], pairs: NDArray[np.int64]) -> NDArray[np.uint8]:
    differing: NDArray[np.uint8] = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    return differing
