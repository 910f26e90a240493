"""Embeddings of the images of a run, for comparisons with many of them."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Fingerprint
from chatgenimage.db.queries import CandidateFilter, conditions

AT_ONCE = 5000
"""Embeddings in memory: about 5 MB."""
MOST_COMPARED = 50_000


def iter_embeddings(
    session: Session, run_id: int, wanted: CandidateFilter
) -> Iterator[dict[int, bytes]]:
    """Yield packed embeddings by candidate, of a filter's candidates in a run, many at a time.

    There are `MOST_COMPARED` at most, by id.
    """
    is_same = Candidate.id == Fingerprint.candidate_id
    allowed = select(Candidate.id).where(is_same, Candidate.run_id == run_id, *conditions(wanted))
    query = (  # a subquery, so that SQLite reads the embeddings in their order and sorts none
        select(Fingerprint.candidate_id, Fingerprint.embedding)
        .where(allowed.correlate(Fingerprint).exists())
        .order_by(Fingerprint.candidate_id)
        .limit(MOST_COMPARED)
    )
    for page in session.execute(query.execution_options(yield_per=AT_ONCE)).partitions():
        yield {candidate_id: embedding for candidate_id, embedding in page}  # noqa: C416  # rows are no pairs for mypy
