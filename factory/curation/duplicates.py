"""The near-duplicates of a run: from stored fingerprints to twins, and back into rows."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from chatgenimage.db import fingerprints
from chatgenimage.db.fingerprints import FoundTwin, Scope, StoredFingerprint
from chatgenimage.db.states import Verdict
from chatgenimage.tasks.duplicates import Lookalike, Lookalikes, Twin
from chatgenimage.tasks.filter_rules import CLIP_SIMILARITY, DUPLICATE, Limits
from chatgenimage.tasks.options import RunOptions
from chatgenimage.workers.fingerprints import unpack


@dataclass(frozen=True, slots=True)
class Album:
    """What the judged candidates of a run, or of one label of it, look like.

    Attributes:
        good: Who stands, save for being a near-duplicate, by the verdicts as they are stored.
    """

    lookalikes: Lookalikes
    embeddings: Mapping[int, NDArray[np.float32]]
    good: frozenset[int]

    @property
    def doubtful(self) -> bool:
        """Return whether any two look alike at all."""
        return bool(self.lookalikes.doubtful)

    def twins(self, good: Container[int], limits: Limits) -> dict[int, Twin]:
        """Return whom each of the good ones resembles most among the better ones that are kept."""
        return self.lookalikes.twins(good, self.embeddings, limits)


def open_album(session: Session, scope: Scope, options: RunOptions) -> Album:
    """Return the fingerprints of a scope, the best candidates first.

    The better of two has the greater CLIP similarity with what was asked; of two alike, it is the
    first by label and key, since ids depend on who was written first.
    """
    stored = fingerprints.list_fingerprints(session, scope, CLIP_SIMILARITY.name)
    stored.sort(key=_best_first)
    lookalikes = Lookalikes(
        [Lookalike(one.candidate_id, _family(one), int(one.phash, 16)) for one in stored],
        options.thresholds.duplicate_bits_max,
    )
    packed = fingerprints.load_embeddings(session, lookalikes.doubtful)
    good = frozenset(one.candidate_id for one in stored if _is_good(one))
    return Album(lookalikes, {key: unpack(found) for key, found in packed.items()}, good)


def write_twins(session: Session, scope: Scope, twins: Mapping[int, Twin], limits: Limits) -> None:
    """Store who resembles whom, and reject the duplicates among them."""
    limit = limits[DUPLICATE.name]
    found = [
        FoundTwin(
            key, twin.candidate_id, twin.similarity, not DUPLICATE.passes(twin.similarity, limit)
        )
        for key, twin in twins.items()
    ]
    fingerprints.write_twins(
        session, scope, found, score=DUPLICATE.name, limit=limit, reason=DUPLICATE.reason
    )


def _best_first(stored: StoredFingerprint) -> tuple[float, str, str]:
    score = -1.0 if stored.score is None else stored.score
    return (-score, stored.label, stored.key)


def _family(stored: StoredFingerprint) -> tuple[int, str]:
    """Return the initial image that a candidate descends from: "b0/g3" of "b0/g3/e1/f0"."""
    return stored.label_id, stored.key.partition("/e")[0]


def _is_good(stored: StoredFingerprint) -> bool:
    return stored.verdict == Verdict.ACCEPTED or stored.reason == DUPLICATE.reason
