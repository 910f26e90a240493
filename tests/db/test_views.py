"""Views and indexes, queried directly with the database's own driver."""

import sqlite3
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import event, select

from benchmarks.queries import documented_sql, fill
from chatgenimage.db.models import Batch, Candidate
from chatgenimage.db.pagination import list_page
from chatgenimage.db.queries import CandidateFilter, count_candidates, iter_candidates
from chatgenimage.db.ranking import Ranking
from chatgenimage.db.session import engine_of, reading
from chatgenimage.db.states import Verdict
from tests import rows


@pytest.fixture
def family(place):
    """A label with a family of three and one rejected image."""
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session))
        rows.add_family(place, session, batch)
        rows.add_candidate(
            place, session, batch, key="b0/g9", verdict=Verdict.REJECTED, reason="text_mismatch"
        )
    return place


@pytest.fixture
def ask(family):
    """Run a query with the database's own driver."""
    engine = engine_of(family.sessions)
    if engine.dialect.name == "sqlite":
        connection = sqlite3.connect(engine.url.database)
    else:
        host, name = engine.url.query["host"], engine.url.database
        connection = psycopg.connect(host=host, dbname=name, user=engine.url.username)
    yield lambda query: connection.execute(query).fetchall()
    connection.close()


def test_accepted_has_what_is_in_the_dataset(ask):
    found = ask(
        "SELECT label, key, origin, object_count, clip_similarity, caption "
        "FROM accepted ORDER BY id"
    )
    assert found == [
        ("dog", "b0/g0", "generated", 1, 0.3, "a dog on grass"),
        ("dog", "b0/g0/e0", "edited", 1, 0.28, "a dog on a beach"),
        ("dog", "b0/g0/e0/f0", "filled", 2, 0.35, "a dog and a tree on a beach"),
    ]


def test_funnel_counts_what_became_of_the_candidates(ask):
    found = ask("SELECT run_id, label, origin, verdict, reason, candidates FROM funnel")
    assert sorted(found, key=str) == [
        (1, "dog", "edited", "accepted", None, 1),
        (1, "dog", "filled", "accepted", None, 1),
        (1, "dog", "generated", "accepted", None, 1),
        (1, "dog", "generated", "rejected", "text_mismatch", 1),
    ]


def test_lineage_goes_back_to_the_first_prompt(ask):
    found = ask(
        "SELECT key, background, placed, placed_where, parent_origin, root_prompt "
        "FROM lineage ORDER BY id"
    )
    assert found == [
        ("b0/g0", None, None, None, None, "a dog on grass"),
        ("b0/g0/e0", "a beach", None, None, "generated", "a dog on grass"),
        ("b0/g0/e0/f0", "a beach", "tree", "next to the dog", "edited", "a dog on grass"),
        ("b0/g9", None, None, None, None, "a dog on grass"),
    ]


def test_images_are_divided_by_domain(ask, family):
    assert ask("SELECT DISTINCT domain FROM accepted") == [(None,)]
    with family.sessions.begin() as session:
        session.scalars(select(Batch)).one().domain = "at night"
    assert ask("SELECT domain, count(*) FROM accepted GROUP BY domain") == [("at night", 3)]
    assert ask("SELECT domain, count(*) FROM lineage GROUP BY domain") == [("at night", 4)]


PLANS = {
    "ix_candidate_run_": {"run_id": 1},
    "ix_candidate_outcome": {"reason": "not_measured"},
    "ix_candidate_object_count": {"object_count": (9, None)},
    "ix_annotation_lower_label": {"objects": ("unicorn",)},
    "ix_score_name_value": {"scores": {"clip_similarity": (0.9985, None)}},
    "caption_text": {"caption_words": ("unicorn",)},
    "ix_candidate_duplicate_of_id": {"duplicates_of": 400},
}


def test_every_question_has_its_index(place):
    fill(place.sessions, 5000)
    for index, wanted in PLANS.items():
        plans = "\n".join(explained(place, CandidateFilter(**wanted)))
        assert index in plans, f"{wanted}: {plans}"


ORDERED = {
    "objects": "ix_candidate_object_count",
    "confidence": "ix_annotation_confidence_candidate_id",
    "area": "ix_annotation_area_px_candidate_id",
    "clip_similarity": "ix_score_name_value",
}


def test_every_order_has_its_index_and_few_candidates_are_looked_up(place):
    fill(place.sessions, 5000)
    for by, index in ORDERED.items():
        plans = "\n".join(explained(place, CandidateFilter(), Ranking(by, is_descending=True)))
        assert index in plans, f"{by}: {plans}"
        plans = list(explained(place, CandidateFilter(reason="not_measured"), Ranking(by)))
        assert not any(index in plan for plan in plans[1:]), plans


def explained(place, wanted, ranking=None):
    """Return the plans of the queries that make a page."""
    asked = []
    with reading(place.sessions) as session:

        def note(connection, cursor, statement, parameters, *_):
            if statement.startswith("SELECT"):
                asked.append((statement, parameters))

        event.listen(session.get_bind(), "before_cursor_execute", note)
        if ranking is None:
            list(iter_candidates(session, replace(wanted, limit=50)))
            count_candidates(session, wanted)
        else:
            list_page(session, wanted, after=None, limit=50, ranking=ranking)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        is_sqlite = session.get_bind().dialect.name == "sqlite"
        explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
        if not is_sqlite:  # PostgreSQL reads this few rows faster without an index
            session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in asked:
            for row in session.connection().exec_driver_sql(explain + statement, parameters):
                yield str(row[-1])


def test_a_changed_caption_is_found_by_its_new_words_only(family):
    with family.sessions.begin() as session:
        session.get_one(Candidate, 1).caption = "two zebras"
        session.get_one(Candidate, 2).caption = None
    with reading(family.sessions) as session:
        assert [c.id for c in _captioned(session, "Zebra")] == [1]
        assert [c.id for c in _captioned(session, "beach")] == [3]
        assert [c.id for c in _captioned(session, "gra")] == []


def test_words_that_many_captions_have_are_found_without_a_shortcut(family, monkeypatch):
    monkeypatch.setattr("chatgenimage.db.queries.FEW_ROWS", 0)
    with reading(family.sessions) as session:
        assert [c.key for c in _captioned(session, "dog beach")] == ["b0/g0/e0", "b0/g0/e0/f0"]
        batch = session.scalars(select(Batch)).one()
        wanted = CandidateFilter(run_id=batch.run_id, objects=("tree",), object_count=(2, 2))
        assert [c.key for c in iter_candidates(session, wanted)] == ["b0/g0/e0/f0"]


def _captioned(session, words):
    return list(iter_candidates(session, CandidateFilter(caption_words=(words,))))


def test_the_documented_sql_is_answered_as_it_stands(ask, family):
    with family.sessions.begin() as session:
        session.get_one(Candidate, 4).duplicate_of_id = 3
    answers = {question: ask(sql) for question, sql in documented_sql().items()}
    rejected, prompts, fills, objects, relatives, repeated, _, repeats = answers.values()
    assert rejected == [("dog", "text_mismatch", 1)]
    assert prompts == [("a dog on grass", 3)]
    assert [row[:2] for row in fills] == [(3, "a dog and a tree on a beach")]
    assert objects == [("dog", 3), ("tree", 1)]
    assert (relatives, repeats) == ([], [])
    assert repeated == [(3, "a dog and a tree on a beach", 1)]
