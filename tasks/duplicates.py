"""Near-duplicates: find images that are alike by perceptual hash and CLIP, and keep the best."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatgenimage.tasks.filter_rules import DUPLICATE, Limits
from chatgenimage.workers.fingerprints import cosine, near_pairs

FAMILY_BITS = 2
"""Images of one family resemble each other on purpose: only almost equal pixels count."""


@dataclass(frozen=True, slots=True)
class HashedImage:
    """An image, with the values that the search for duplicates needs.

    Attributes:
        family: Equal for an initial image and all images made from it.
        phash: Perceptual hash, 64 bits.
    """

    candidate_id: int
    family: tuple[int, str]
    phash: int


@dataclass(frozen=True, slots=True)
class DuplicateMatch:
    """The better image that an image resembles most.

    Attributes:
        similarity: Cosine of their CLIP embeddings.
    """

    candidate_id: int
    similarity: float


class PerceptualIndex:
    """All images of a run, indexed by their perceptual hashes.

    Attributes:
        doubtful: Images with a similar hash nearby; only these need their embeddings.
    """

    def __init__(self, best_first: Sequence[HashedImage], most_bits: int) -> None:
        """Find the pairs with similar hashes.

        Args:
            best_first: Ordered by quality: of two similar images the first is kept.
            most_bits: Maximum number of different bits in similar hashes.
        """
        self._best_first = best_first
        self._hash_of = {image.candidate_id: image.phash for image in best_first}
        self._near: dict[int, list[int]] = defaultdict(list)
        hashes, counts = np.unique(
            np.array(list(self._hash_of.values()), np.uint64), return_counts=True
        )
        for hash_, count in zip(hashes.tolist(), counts.tolist(), strict=True):
            if count > 1:
                self._near[hash_].append(hash_)
        for one, other in hashes[near_pairs(hashes, most_bits)].tolist():
            self._near[one].append(other)
            self._near[other].append(one)
        self.doubtful = [i.candidate_id for i in best_first if i.phash in self._near]

    def find_matches(
        self,
        accepted: Container[int],
        embeddings: Mapping[int, NDArray[np.float32]],
        limits: Limits,
    ) -> dict[int, DuplicateMatch]:
        """Return for each accepted image the better kept image that it resembles most.

        The best image is kept, then the next best unless it duplicates a kept one, and so on.
        So the result does not depend on the order in which images were made, and each rejected
        image resembles a kept one.

        Args:
            accepted: Ids of images that the filters accepted.
            embeddings: Unit vectors of the `doubtful` images.
            limits: The threshold of each rule.
        """
        matches: dict[int, DuplicateMatch] = {}
        kept: dict[int, list[HashedImage]] = defaultdict(list)
        for image in self._best_first:
            if image.phash not in self._near or image.candidate_id not in accepted:
                continue
            found = [
                DuplicateMatch(better.candidate_id, _similarity(image, better, embeddings))
                for phash in self._near[image.phash]
                for better in kept[phash]
                if _may_repeat(image, better)
            ]
            match = max(found, key=lambda match: match.similarity, default=None)
            if match is not None:
                matches[image.candidate_id] = match
            if match is None or DUPLICATE.passes(match.similarity, limits[DUPLICATE.name]):
                kept[image.phash].append(image)
        return matches


def _may_repeat(image: HashedImage, better: HashedImage) -> bool:
    is_family = image.family == better.family
    return not is_family or (image.phash ^ better.phash).bit_count() <= FAMILY_BITS


def _similarity(
    image: HashedImage, better: HashedImage, embeddings: Mapping[int, NDArray[np.float32]]
) -> float:
    return cosine(embeddings[image.candidate_id], embeddings[better.candidate_id])
