"""The list of candidates that a search of the gallery shows, and the neighbours in it."""

from sqlalchemy.orm import Session

from chatgenimage.db.pagination import Neighbours, find_neighbours
from chatgenimage.factory.curation.similar import find_similar
from chatgenimage.factory.gallery.search import Search

MOST_SIMILAR = 60


def list_similar(session: Session, search: Search) -> dict[int, float]:
    """Return the similarity of the candidates that look like one, most similar first.

    It is empty if the search does not ask for that.

    Raises:
        RowNotFound: If there is no such candidate, or it has no embedding.
    """
    if search.like is None:
        return {}
    return find_similar(session, search.like, search.wanted, MOST_SIMILAR)


def find_near(session: Session, search: Search, candidate_id: int) -> Neighbours:
    """Return the candidates before and after one in the list of a search.

    Raises:
        RowNotFound: If a candidate does not exist.
    """
    if search.like is None:
        return find_neighbours(session, search.wanted, candidate_id, search.ranking)
    ids = list(list_similar(session, search))
    if candidate_id not in ids:
        return Neighbours(None, next(iter(ids), None))
    place = ids.index(candidate_id)
    before, after = ids[:place], ids[place + 1 :]
    return Neighbours(before[-1] if before else None, after[0] if after else None)
