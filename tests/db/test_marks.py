import pytest
from sqlalchemy import func, select

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.marks import add_mark, iter_marks
from chatgenimage.db.models import Mark
from chatgenimage.db.session import reading
from tests import rows


@pytest.fixture
def marked(place):
    """Two runs of three candidates each; the first has one good and one bad review."""
    with place.sessions.begin() as session:
        for _ in range(2):
            batch = rows.batch_of(session, rows.add_run(session))
            for _ in range(3):
                rows.add_candidate(place, session, batch)
        add_mark(session, 1, is_good=True, author="ann@studio")
        add_mark(session, 2, is_good=False, author="ann@studio")
        add_mark(session, 4, is_good=True, author="bob@studio")
    return place


def test_the_marks_of_a_run_are_its_own(marked):
    with reading(marked.sessions) as session:
        assert list(iter_marks(session, 1)) == [(1, True), (2, False)]
        assert list(iter_marks(session, 2)) == [(4, True)]
        assert rows.marks(session) == {1: True, 2: False, 4: True}


def test_the_newest_mark_stands_and_the_history_is_kept(marked):
    with marked.sessions.begin() as session:
        add_mark(session, 1, is_good=False, author="bob@studio")
        add_mark(session, 2, is_good=None, author="bob@studio")
    with reading(marked.sessions) as session:
        assert list(iter_marks(session, 1)) == [(1, False)]
        assert rows.marks(session) == {1: False, 4: True}
        assert session.scalar(select(func.count(Mark.id))) == 5


def test_a_mark_knows_who_made_it_and_when(marked):
    with reading(marked.sessions) as session:
        mark = session.scalars(select(Mark).where(Mark.candidate_id == 4)).one()
    assert (mark.author, mark.created_at > 1e9) == ("bob@studio", True)


def test_an_author_s_name_of_any_length_fits(marked):
    with marked.sessions.begin() as session:
        add_mark(session, 3, is_good=True, author="x" * 1000)
    with reading(marked.sessions) as session:
        assert rows.marks(session)[3]


def test_a_candidate_that_is_not_there_cannot_be_marked(marked):
    with marked.sessions.begin() as session, pytest.raises(RowNotFound, match="no candidate 99"):
        add_mark(session, 99, is_good=True, author="ann@studio")
