from dataclasses import replace

import pytest
from sqlalchemy import insert, text

from chatgenimage.db import pagination
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import FEW_ROWS, CandidateFilter, iter_candidates
from chatgenimage.db.states import Origin, Verdict
from tests import rows


@pytest.fixture
def everything(place):
    """Two runs of two labels with two families each; every fourth candidate is rejected."""
    with place.sessions.begin() as session:
        for _ in range(2):
            run = rows.add_run(session, ["dog", "house"], batches=2)
            for batch in rows.batches_of(session, run):
                rows.add_family(place, session, batch)
        for candidate in session.query(Candidate).filter(Candidate.id % 4 == 0):
            candidate.verdict, candidate.reason = Verdict.REJECTED, "text_mismatch"
    return place


FILTERS = {
    "all": CandidateFilter(),
    "a run": CandidateFilter(run_id=2),
    "of a run": CandidateFilter(run_id=1, verdict=Verdict.ACCEPTED),
    "a label": CandidateFilter(labels=("house",)),
    "an origin": CandidateFilter(origin=Origin.FILLED),
    "a word": CandidateFilter(caption_words=("beach",)),
}


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_pages_one_after_the_other_are_everything_in_order(everything, wanted):
    with everything.sessions() as session:
        expected = [candidate.id for candidate in iter_candidates(session, wanted)]
        found, after = [], None
        while page := pagination.list_page(session, wanted, after=after, limit=3):
            found += page
            after = page[-1]
        assert found == expected
        assert len(expected) > 3


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_neighbours_are_those_before_and_after(everything, wanted):
    with everything.sessions() as session:
        ids = [candidate.id for candidate in iter_candidates(session, wanted)]
        assert ids
        for before, here, after in zip([None, *ids], ids, [*ids[1:], None], strict=False):
            assert pagination.find_neighbours(session, wanted, here) == pagination.Neighbours(
                before, after
            )


def test_a_candidate_that_is_not_among_them_has_neighbours_too(everything):
    with everything.sessions() as session:
        rejected = CandidateFilter(run_id=1, verdict=Verdict.REJECTED)
        ids = [candidate.id for candidate in iter_candidates(session, rejected)]
        accepted = replace(rejected, verdict=Verdict.ACCEPTED)
        for candidate_id in ids:
            found = pagination.find_neighbours(session, accepted, candidate_id)
            assert found.before not in ids
            assert found.after not in ids
        of_other_run = pagination.find_neighbours(session, CandidateFilter(run_id=1), 24)
        assert (of_other_run.before, of_other_run.after) == (12, None)


def test_who_stands_nowhere_has_no_neighbours(everything):
    with everything.sessions() as session, pytest.raises(RowNotFound):
        pagination.find_neighbours(session, CandidateFilter(), 999)


def test_relatives_and_repeats_are_found(everything):
    with everything.sessions.begin() as session:
        candidate = session.get_one(Candidate, 2)
        session.get_one(Candidate, 5).parent_id = candidate.parent_id
        session.get_one(Candidate, 7).duplicate_of_id = candidate.id
        session.get_one(Candidate, 8).duplicate_of_id = candidate.id
        session.flush()
        assert pagination.list_siblings(session, candidate, 9) == [5]
        assert pagination.list_repeats(session, candidate, 9) == [7, 8]
        assert pagination.list_repeats(session, session.get_one(Candidate, 7), 9) == [2, 8]


def test_samples_are_accepted_and_of_every_label(everything):
    with everything.sessions() as session:
        samples = [
            session.get_one(Candidate, one) for one in pagination.list_samples(session, 1, 4)
        ]
        assert {candidate.label.name for candidate in samples} == {"dog", "house"}
        assert {candidate.verdict for candidate in samples} == {"accepted"}


def test_the_newest_come_first(everything):
    with everything.sessions() as session:
        assert pagination.list_newest(session, 1, 3) == [12, 11, 10]


@pytest.mark.parametrize("wanted", [CandidateFilter(), CandidateFilter(run_id=1)], ids=["", "run"])
def test_a_page_among_many_is_entered_by_an_index(sqlite_place, wanted):
    with sqlite_place.sessions() as session:
        batch = rows.batch_of(session, rows.add_run(session))
        first = rows.add_candidate(sqlite_place, session, batch)
        columns = {
            column.name: getattr(first, column.name)
            for column in Candidate.__table__.columns
            if column.name not in {"id", "key"}
        }
        many = [columns | {"key": f"b1/g{index:04}"} for index in range(FEW_ROWS)]
        session.execute(insert(Candidate), many)
        query = pagination.page_after(session, replace(wanted, limit=3), first.id)
        statement = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    assert len(plan) == 1
    assert "INDEX ix_candidate_run_label_key" in plan[0]
    assert "key)>(?" in plan[0]
