"""The near-duplicates of a run: from stored fingerprints to matches, and back into rows."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from chatgenimage.db import fingerprints
from chatgenimage.db.fingerprints import Scope, StoredFingerprint
from chatgenimage.db.states import Verdict
from chatgenimage.db.verdicts import DuplicateScore, replace_duplicates
from chatgenimage.tasks.duplicates import DuplicateMatch, HashedImage, PerceptualIndex
from chatgenimage.tasks.filter_rules import CLIP_SIMILARITY, DUPLICATE, Limits
from chatgenimage.tasks.options import RunOptions
from chatgenimage.workers.fingerprints import unpack


@dataclass(frozen=True, slots=True)
class RunDuplicates:
    """The judged candidates of a run, or of one label of it, indexed to find near-duplicates.

    Attributes:
        good: Ids of those that pass every rule but that for near-duplicates, by their stored
            verdicts.
    """

    index: PerceptualIndex
    embeddings: Mapping[int, NDArray[np.float32]]
    good: frozenset[int]

    @property
    def doubtful(self) -> bool:
        """Return whether any two have near hashes."""
        return bool(self.index.doubtful)

    def find_matches(self, good: Container[int], limits: Limits) -> dict[int, DuplicateMatch]:
        """Return, for each good candidate, the better kept one that it resembles most."""
        return self.index.find_matches(good, self.embeddings, limits)


def load_duplicates(session: Session, scope: Scope, options: RunOptions) -> RunDuplicates:
    """Return the fingerprints of a scope, the best candidates first.

    The better of two has the greater CLIP similarity with its prompt; if that is the same, it is
    the first by label and key, since ids depend on the order of writing. Of a person's pictures the
    larger one is better: the other may be its thumbnail.
    """
    stored = fingerprints.list_fingerprints(session, scope, CLIP_SIMILARITY.name)
    stored.sort(key=_largest_first if options.chain.source == "pictures" else _best_first)
    index = PerceptualIndex(
        [HashedImage(one.candidate_id, _family(one), int(one.phash, 16)) for one in stored],
        options.thresholds.duplicate_bits_max,
    )
    packed = fingerprints.load_embeddings(session, index.doubtful)
    good = frozenset(one.candidate_id for one in stored if _is_good(one))
    return RunDuplicates(index, {key: unpack(found) for key, found in packed.items()}, good)


def write_duplicates(
    session: Session, scope: Scope, matches: Mapping[int, DuplicateMatch], limits: Limits
) -> None:
    """Store the matches as scores, and reject the candidates that are near-duplicates."""
    limit = limits[DUPLICATE.name]
    found = [
        DuplicateScore(
            key, match.candidate_id, match.similarity, not DUPLICATE.passes(match.similarity, limit)
        )
        for key, match in matches.items()
    ]
    replace_duplicates(
        session, scope, found, score=DUPLICATE.name, limit=limit, reason=DUPLICATE.reason
    )


def _best_first(stored: StoredFingerprint) -> tuple[float, str, str]:
    score = -1.0 if stored.score is None else stored.score
    return (-score, stored.label, stored.key)


def _largest_first(stored: StoredFingerprint) -> tuple[int, float, str, str]:
    return (-stored.area_px, *_best_first(stored))


def _family(stored: StoredFingerprint) -> tuple[int, str]:
    """Return the initial image that a candidate descends from: "b0/g3" of "b0/g3/e1/f0"."""
    return stored.label_id, stored.key.partition("/e")[0]


def _is_good(stored: StoredFingerprint) -> bool:
    return stored.verdict == Verdict.ACCEPTED or stored.reason == DUPLICATE.reason
