import numpy as np
import pytest

from chatgenimage.tasks.duplicates import FAMILY_BITS, HashedImage, PerceptualIndex
from chatgenimage.tasks.filter_rules import DUPLICATE

LIMITS = {DUPLICATE.name: 0.9}
NORTH = np.array([1.0, 0.0], np.float32)


def turned(degrees):
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def image(candidate_id, phash, family=None):
    return HashedImage(candidate_id, (1, family or f"b0/g{candidate_id}"), phash)


def find(best_first, embeddings, *, accepted=None, most_bits=6):
    """Return the near-duplicates, each with the image it duplicates."""
    index = PerceptualIndex(best_first, most_bits)
    embedded = {one.candidate_id: embeddings.get(one.candidate_id, NORTH) for one in best_first}
    everybody = {one.candidate_id for one in best_first}
    matches = index.find_matches(everybody if accepted is None else accepted, embedded, LIMITS)
    return {
        key: match.candidate_id
        for key, match in matches.items()
        if not DUPLICATE.passes(match.similarity, LIMITS[DUPLICATE.name])
    }


@pytest.mark.parametrize(
    ("phash", "embedding", "is_duplicate"),
    [
        pytest.param(0b0, NORTH, True, id="the same"),
        pytest.param(0b111111, turned(10), True, id="alike in both"),
        pytest.param(0b1111111, NORTH, False, id="one bit too many"),
        pytest.param(0b0, turned(40), False, id="CLIP sees something else"),
    ],
)
def test_a_duplicate_is_alike_by_hash_and_by_clip(phash, embedding, is_duplicate):
    found = find([image(1, 0), image(2, phash)], {2: embedding})
    assert found == ({2: 1} if is_duplicate else {})


def test_the_best_that_is_accepted_is_kept():
    three = [image(7, 0), image(3, 1), image(5, 3)]
    assert find(three, {}) == {3: 7, 5: 7}
    assert find(three, {}, accepted={3, 5}) == {5: 3}


def test_who_resembles_only_a_duplicate_is_kept():
    chain = [image(1, 0), image(2, 0), image(3, 0)]
    embeddings = {1: turned(0), 2: turned(20), 3: turned(40)}
    assert find(chain, embeddings) == {2: 1}


def test_a_family_is_alike_on_purpose_unless_it_is_alike_to_the_pixel():
    near, nearest = (1 << FAMILY_BITS + 1) - 1, (1 << FAMILY_BITS) - 1
    family = [image(1, 0, "b0/g0"), image(2, near, "b0/g0"), image(3, nearest, "b0/g0")]
    assert find(family, {}) == {3: 1}
    assert find([*family, image(4, near, "b0/g1")], {}) == {3: 1, 4: 2}


def test_only_who_has_another_near_needs_an_embedding():
    index = PerceptualIndex([image(1, 0), image(2, 1), image(3, 2**40 - 1), image(4, 2**63)], 3)
    assert index.doubtful == [1, 2, 4]
    assert PerceptualIndex([], 6).doubtful == []
