"""Candidates that look like another one, by the embeddings that were stored for near-duplicates."""

import heapq

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from chatgenimage.db.embeddings import iter_embeddings
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.fingerprints import load_embeddings
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.workers.fingerprints import unpack, unpack_many


def find_similar(
    session: Session, candidate_id: int, wanted: CandidateFilter, limit: int
) -> dict[int, float]:
    """Return the candidates of a filter that look most like one, with their similarity.

    Only candidates of the same run are compared, since another run may have another model.

    Args:
        session: To read with.
        candidate_id: The one that the others should look like.
        wanted: The filter.
        limit: Most candidates.

    Returns:
        Cosine of the image embeddings in [-1, 1] by candidate, most similar first.

    Raises:
        RowNotFound: If there is no such candidate, or it has no embedding.
    """
    candidate = session.get(Candidate, candidate_id)
    own = load_embeddings(session, [candidate_id]).get(candidate_id)
    if candidate is None or own is None:
        raise RowNotFound(
            f"no candidate {candidate_id} with an embedding; an image gets one when it is filtered."
        )
    best: list[tuple[float, int]] = []
    for packed in iter_embeddings(session, candidate.run_id, wanted):
        alike = {key: one for key, one in packed.items() if len(one) == len(own)}
        if alike:
            similarities = unpack_many(list(alike.values())) @ unpack(own)
            found = _greatest(np.array(list(alike)), similarities, limit)
            best = heapq.nlargest(limit, [*best, *found])
    return {-negated: similarity for similarity, negated in best}


def _greatest(
    ids: NDArray[np.int64], similarities: NDArray[np.float32], limit: int
) -> list[tuple[float, int]]:
    """Return the greatest similarities, each with its negated id."""
    chosen = np.argsort(-similarities, kind="stable")[:limit]
    return list(zip(similarities[chosen].tolist(), (-ids[chosen]).tolist(), strict=True))
