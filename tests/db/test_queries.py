import pytest
from sqlalchemy import event, select

from chatgenimage.db import queries, runs
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.marks import add_mark
from chatgenimage.db.models import Batch, Candidate
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.session import engine_of, reading
from chatgenimage.db.states import Marked, Origin, Verdict
from tests import rows


@pytest.fixture
def run(place):
    """Two labels, each with a family of three and one rejected image without a caption."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ("dog", "house"))
        for batch in session.scalars(select(Batch).order_by(Batch.id)):
            rows.add_family(place, session, batch)
            rows.add_candidate(
                place,
                session,
                batch,
                key="b0/g9",
                verdict=Verdict.REJECTED,
                reason="label_not_found",
                caption=None,
                scores={},
            )
    return run


def found(place, **wanted):
    with reading(place.sessions) as session:
        candidates = list(queries.iter_candidates(session, CandidateFilter(**wanted)))
        assert queries.count_candidates(session, CandidateFilter(**wanted)) == len(candidates)
        return [f"{candidate.label.name} {candidate.key}" for candidate in candidates]


def test_without_a_filter_everything_comes_by_label_and_key(place, run):
    keys = ["b0/g0", "b0/g0/e0", "b0/g0/e0/f0", "b0/g9"]
    assert found(place) == [f"dog {key}" for key in keys] + [f"house {key}" for key in keys]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"labels": ("DOG",), "verdict": Verdict.REJECTED}, ["dog b0/g9"]),
        ({"reason": "label_not_found"}, ["dog b0/g9", "house b0/g9"]),
        ({"origin": Origin.FILLED}, ["dog b0/g0/e0/f0", "house b0/g0/e0/f0"]),
        ({"labels": ("dog",), "round": 1}, ["dog b0/g0/e0", "dog b0/g0/e0/f0"]),
        ({"labels": ("dog",), "objects": ("Tree", "dog")}, ["dog b0/g0/e0/f0"]),
        ({"labels": ("dog", "cat"), "origin": Origin.EDITED}, ["dog b0/g0/e0"]),
        ({"labels": ("dog",), "object_count": (2, None)}, ["dog b0/g0/e0/f0"]),
        ({"labels": ("dog",), "object_count": (None, 0)}, ["dog b0/g9"]),
        ({"reason": "label_not_found", "verdict": Verdict.ACCEPTED}, []),
        ({"run_id": 99}, []),
        ({"limit": 1}, ["dog b0/g0"]),
    ],
    ids=lambda value: " ".join(map(str, value)) or "none",
)
def test_filters_restrict(place, run, wanted, expected):
    assert found(place, **wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"marked": Marked.GOOD}, ["b0/g0/e0", "b0/g9"]),
        ({"marked": Marked.BAD}, ["b0/g0"]),
        ({"marked": Marked.NONE}, ["b0/g0/e0/f0"]),
        ({"marked": Marked.GOOD, "verdict": Verdict.ACCEPTED}, ["b0/g0/e0"]),
        ({"use_reviews": True, "verdict": Verdict.ACCEPTED}, ["b0/g0/e0", "b0/g0/e0/f0", "b0/g9"]),
        ({"use_reviews": True, "verdict": Verdict.REJECTED}, ["b0/g0"]),
        ({"use_reviews": True, "reason": "label_not_found"}, []),
        ({"use_reviews": True}, ["b0/g0", "b0/g0/e0", "b0/g0/e0/f0", "b0/g9"]),
    ],
    ids=lambda value: " ".join(map(str, value)) or "none",
)
def test_marks_choose_and_outrank_the_verdict_when_they_are_heeded(place, run, wanted, expected):
    with place.sessions.begin() as session:
        ids = {c.key: c.id for c in session.scalars(select(Candidate)) if c.label_id == 1}
        for key, is_good in {
            "b0/g0": False,
            "b0/g9": True,
            "b0/g0/e0": True,
            "b0/g0/e0/f0": None,
        }.items():
            for said in (False, True, is_good):
                add_mark(session, ids[key], is_good=said, author="ann@studio")
    assert found(place, labels=("dog",), **wanted) == [f"dog {key}" for key in expected]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"clip_similarity": (0.3, None)}, ["b0/g0", "b0/g0/e0/f0"]),
        ({"clip_similarity": (None, 0.3)}, ["b0/g0", "b0/g0/e0"]),
        ({"clip_similarity": (0.29, 0.31)}, ["b0/g0"]),
        ({"clip_similarity": (0.3, None), "fill_iou": (0.5, None)}, ["b0/g0/e0/f0"]),
        ({"unheard_of": (None, None)}, []),
    ],
    ids=" ".join,
)
def test_score_ranges_are_inclusive_and_a_missing_score_does_not_match(
    place, run, scores, expected
):
    assert found(place, labels=("dog",), scores=scores) == [f"dog {key}" for key in expected]


@pytest.mark.parametrize("word", ["%", "_", "' OR 1=1 --", "\\"])
def test_what_a_person_types_is_never_part_of_the_sql(place, run, word):
    assert found(place, caption_words=(word,)) == []
    assert found(place, labels=(word,)) == []
    assert found(place, objects=(word,)) == []
    assert found(place, scores={word: (0, 1)}) == []


def test_every_word_must_be_in_the_caption_in_any_case(place, run):
    assert found(place, caption_words=("BEACH", "tree"), labels=("dog",)) == ["dog b0/g0/e0/f0"]


def test_reading_a_page_of_candidates_takes_six_queries_however_many_there_are(place, run):
    statements = []
    with reading(place.sessions) as session:
        event.listen(
            engine_of(place.sessions),
            "before_cursor_execute",
            lambda *arguments: statements.append(arguments[2]),
        )
        for candidate in queries.iter_candidates(session, CandidateFilter()):
            assert candidate.label.name
            assert candidate.origin == Origin.GENERATED or candidate.parent.sha256
            assert len(candidate.annotations) + len(candidate.scores) + len(candidate.marks) < 9
    assert len([text for text in statements if text.startswith("SELECT")]) == 6


def test_a_candidate_s_story_goes_up_to_the_root_and_down_to_its_children(place, run):
    with reading(place.sessions) as session:
        root, edited, filled = queries.iter_candidates(
            session, CandidateFilter(labels=("dog",), verdict=Verdict.ACCEPTED)
        )
        detail = queries.get_candidate(session, edited.id)
        assert (detail.ancestors, detail.children) == ((root,), (filled,))
        assert detail.candidate.scene.background == "a beach"
        assert [placement.label for placement in detail.placements] == ["tree"]
        assert queries.get_candidate(session, filled.id).ancestors == (root, edited)
        assert [scene.index for scene in queries.get_candidate(session, root.id).scenes] == [0]


def test_a_candidate_that_is_not_there_is_not_found(place, run):
    with reading(place.sessions) as session, pytest.raises(RowNotFound, match="no candidate 999"):
        queries.get_candidate(session, 999)


def test_candidates_come_in_the_order_of_the_ids(place, run):
    with reading(place.sessions) as session:
        assert [c.id for c in queries.list_candidates(session, [3, 1, 77])] == [3, 1]


def test_the_latest_run_is_the_one_when_none_is_named(place, run):
    with place.sessions.begin() as session:
        later = rows.add_run(session)
    with reading(place.sessions) as session:
        assert runs.get_run(session).id == later.id
        assert [label.name for label in runs.get_run(session, run.id).labels] == ["dog", "house"]
        assert [summary.run_id for summary in runs.list_runs(session)] == [later.id, run.id]
        with pytest.raises(RowNotFound, match=f"no run 99; the latest is {later.id}"):
            runs.get_run(session, 99)


def test_a_database_without_runs_says_how_to_begin(place):
    with reading(place.sessions) as session, pytest.raises(RowNotFound, match="factory run"):
        runs.get_run(session)


def test_a_run_is_summed_up_in_a_line(place, run):
    with reading(place.sessions) as session:
        (summary,) = runs.list_runs(session)
    assert (summary.labels, summary.candidates, summary.accepted) == (2, 8, 6)


def test_the_funnel_counts_by_origin_and_reason(place, run):
    with place.sessions.begin() as session:
        rows.add_candidate(place, session, session.get_one(Batch, 1), verdict=None)
    with reading(place.sessions) as session:
        generated, edited, filled = runs.count_funnel(session, run.id)
        dog, *_ = runs.count_funnel_by_label(session, run.id)["dog"]
    assert (generated.made, generated.accepted) == (5, 2)
    assert generated.rejected == {"label_not_found": 2}
    assert (edited.made, edited.accepted, dict(edited.rejected)) == (2, 2, {})
    assert (filled.origin, filled.made) == (Origin.FILLED, 2)
    assert (dog.made, dog.accepted, dog.rejected) == (3, 1, {"label_not_found": 1})


def test_what_was_given_up_is_listed_with_its_error(place, run):
    with place.sessions.begin() as session:
        step = rows.add_steps(session, session.get_one(Batch, 2))[1]
        rows.add_item(session, step, 5, "quarantined", "Traceback\nValueError: too dark")
        rows.add_item(session, step, 6, "done")
    with reading(place.sessions) as session:
        (item,) = runs.list_quarantined(session, run.id)
    assert (item.label, item.step, item.subject_id) == ("house", "generate", 5)
    assert item.error.endswith("too dark")


def test_the_accepted_are_listed_by_label_and_key(place, run):
    with reading(place.sessions) as session:
        accepted = runs.list_accepted(session, run.id)
    assert [candidate.label for candidate in accepted] == ["dog"] * 3 + ["house"] * 3
    assert [candidate.origin for candidate in accepted[:3]] == ["generated", "edited", "filled"]
    assert accepted[1].parent_id == accepted[0].candidate_id
