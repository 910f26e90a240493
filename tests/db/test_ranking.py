from dataclasses import replace

import pytest

from chatgenimage.db import pagination
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter, iter_candidates
from chatgenimage.db.ranking import Ranking, iter_ranked
from chatgenimage.db.states import Verdict
from tests import rows

LARGE, SMALL = (4.0, 4.0, 44.0, 44.0), (10.0, 10.0, 20.0, 20.0)
FILTERS = {
    "all": CandidateFilter(),
    "accepted": CandidateFilter(verdict=Verdict.ACCEPTED),
    "a class": CandidateFilter(objects=("tree",)),
    "confident": CandidateFilter(object_confidence=(0.5, None)),
    "a confident class": CandidateFilter(objects=("dog",), object_confidence=(0.5, 0.85)),
    "large": CandidateFilter(object_area_px=(500, None)),
}
RANKINGS = [
    Ranking(by, is_descending=descending)
    for by in ("id", "objects", "confidence", "area", "ssim")
    for descending in (False, True)
]


@pytest.fixture
def objects(place):
    """Candidates with objects of different confidence and area, some without objects or score."""
    shapes = [
        [("dog", LARGE, 0.9), ("tree", SMALL, 0.4)],
        [("dog", SMALL, 0.8)],
        [("tree", LARGE, 0.8), ("Dog", SMALL, 0.3)],
        [],
        [("dog", LARGE, 0.35), ("dog", SMALL, 0.3)],
        [("tree", SMALL, 0.7), ("tree", LARGE, 0.6)],
        [("dog", LARGE, 0.9)],
    ]
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"]))
        for number, found in enumerate(shapes):
            columns = {} if number % 3 else {"scores": {"ssim": 0.5 if number else 0.7}}
            columns["verdict"] = Verdict.REJECTED if number == 1 else Verdict.ACCEPTED
            shown = [(name, "brown", box) for name, box, _ in found]
            added = rows.add_candidate(place, session, batch, shown, **columns)
            for annotation, (_, _, confidence) in zip(added.annotations, found, strict=True):
                annotation.confidence = confidence
    return place


def expected(session, wanted, ranking):
    """Return the same order by plain Python: with a value, then by id."""

    def value_of(candidate):
        if ranking.by in {"id", "objects"}:
            return candidate.id if ranking.by == "id" else candidate.object_count
        if ranking.by == "ssim":
            return next((one.value for one in candidate.scores if one.name == "ssim"), None)
        column = {"confidence": "confidence", "area": "area_px"}[ranking.by]
        matching = [one for one in candidate.annotations if is_match(one, wanted)]
        return max((getattr(one, column) for one in matching), default=None)

    values = {one.id: value_of(one) for one in iter_candidates(session, wanted)}
    with_value = [(value, key) for key, value in values.items() if value is not None]
    ranked = [key for _, key in sorted(with_value, reverse=ranking.is_descending)]
    return ranked + sorted(values.keys() - set(ranked))


def page_by_page(session, wanted, ranking):
    after = None
    while page := pagination.list_page(session, wanted, after=after, limit=2, ranking=ranking):
        yield from page
        after = page[-1]


def is_match(annotation, wanted):
    (least, most), (small, big) = wanted.object_confidence, wanted.object_area_px
    return (
        (not wanted.objects or annotation.label.lower() in wanted.objects)
        and (least or 0) <= annotation.confidence <= (most or 1)
        and (small or 0) <= annotation.area_px <= (big or 1e9)
    )


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_pages_and_neighbours_follow_the_ranking(objects, wanted):
    with objects.sessions() as session:
        for ranking in RANKINGS:
            order = expected(session, wanted, ranking)
            assert order
            assert list(page_by_page(session, wanted, ranking)) == order, ranking
            assert [one.id for one in iter_ranked(session, wanted, ranking)] == order, ranking
            first = replace(wanted, limit=2)
            assert [one.id for one in iter_ranked(session, first, ranking)] == order[:2], ranking
            before, after = [None, *order[:-1]], [*order[1:], None]
            for neighbours, here in zip(zip(before, after, strict=True), order, strict=True):
                near = pagination.find_neighbours(session, wanted, here, ranking)
                assert (near.before, near.after) == neighbours, ranking


def test_a_range_holds_for_the_object_of_the_class(objects):
    with objects.sessions() as session:

        def ids(**filters):
            return [one.id for one in iter_candidates(session, CandidateFilter(**filters))]

        assert ids(objects=("dog",), object_confidence=(0.5, None)) == [1, 2, 7]
        assert ids(objects=("dog", "tree"), object_confidence=(0.4, None)) == [1]
        assert ids(object_confidence=(None, 0.3)) == [3, 5]
        small = session.get(Candidate, 2).annotations[0].area_px
        assert ids(objects=("dog",), object_area_px=(None, small)) == [2, 3, 5]


def test_a_ranking_after_no_candidate_is_refused(objects):
    wanted, ranking = CandidateFilter(), Ranking("id")
    with objects.sessions() as session, pytest.raises(RowNotFound, match="no candidate 777"):
        pagination.list_page(session, wanted, after=777, limit=2, ranking=ranking)
