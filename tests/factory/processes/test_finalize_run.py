import numpy as np
import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from chatgenimage.db import control
from chatgenimage.db.models import Batch, Candidate, Run, Score
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, RunState, Verdict
from chatgenimage.factory.cli import app
from chatgenimage.factory.curation.refilter import limits_in_force, preview, refilter
from chatgenimage.factory.curation.thresholds import survey
from chatgenimage.factory.processes import finalize_run
from tests import rows

NORTH = (1.0, 0.0)
NEARLY_NORTH = (0.98, 0.2)  # their cosine is 0.98
IMAGES = {  # label, key: hash, embedding, CLIP similarity
    ("dog", "b0/g0"): ("00000000000000ff", NORTH, 0.80),
    ("dog", "b1/g0"): ("00000000000000f0", NEARLY_NORTH, 0.90),
    ("dog", "b1/g1"): ("ffffffff00000000", NORTH, 0.70),
    ("house", "b0/g0"): ("00000000000000f1", NORTH, 0.90),
    ("house", "b0/g1"): ("00000000000000f0", (0.0, 1.0), 0.95),
}
DUPLICATES = {  # the best by CLIP, then by label and key, is kept
    ("dog", "b0/g0"): ("dog", "b1/g0"),
    ("house", "b0/g0"): ("dog", "b1/g0"),
}


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


def add_image(place, session, batch, key, looks):
    """Add a candidate that passes all other rules, with its fingerprint."""
    phash, embedding, similarity = looks
    scores = {"clip_similarity": similarity, "label_confidence": 0.9}
    made = rows.add_candidate(place, session, batch, key=key, scores=scores)
    rows.add_fingerprint(session, made, phash, embedding)


def add_finished_run(place, order=None):
    """Add a run whose batches are done, with candidates in the given order."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ("dog", "house"))
        batches = {batch.label.name: batch for batch in rows.batches_of(session, run)}
        session.execute(update(Batch).values(state=BatchState.DONE))
        for label, key in order or IMAGES:
            add_image(place, session, batches[label], key, IMAGES[label, key])
        return run.id


def outcome(place):
    """Return duplicates with their originals, and the accepted, by label and key."""
    with place.sessions() as session:
        candidates = session.scalars(select(Candidate)).all()
        names = {one.id: (one.label.name, one.key) for one in candidates}
        rejected = {
            names[one.id]: names[one.duplicate_of_id]
            for one in candidates
            if one.reason == "near_duplicate"
        }
        accepted = {names[one.id] for one in candidates if one.verdict == Verdict.ACCEPTED}
        repeats = {names[one.id] for one in candidates if one.duplicate_of_id is not None}
        assert repeats == rejected.keys()
    return rejected, accepted


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_near_duplicates_is_kept_in_any_order(place, seed):
    order = [list(IMAGES)[at] for at in np.random.default_rng(seed).permutation(len(IMAGES))]
    run_id = add_finished_run(place, order)
    assert finalize_run.finish_run(place.sessions, run_id)
    assert outcome(place) == (DUPLICATES, IMAGES.keys() - DUPLICATES.keys())
    with place.sessions() as session:
        assert session.get_one(Run, run_id).state == RunState.DONE
        scores = session.scalars(select(Score).where(Score.name == "duplicate_similarity")).all()
        assert [score.passed for score in sorted(scores, key=lambda score: score.value)] == [
            *(True,) * (len(scores) - len(DUPLICATES)),
            *(False,) * len(DUPLICATES),
        ]


def test_a_run_is_ended_once_and_not_while_a_batch_is_open(place):
    run_id = add_finished_run(place)
    with place.sessions.begin() as session:
        session.scalars(select(Batch).order_by(Batch.id)).first().state = BatchState.IN_FLIGHT
    assert not finalize_run.finish_run(place.sessions, run_id)
    assert outcome(place)[0] == {}
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(state=BatchState.DONE))
    assert finalize_run.finish_run(place.sessions, run_id)
    assert not finalize_run.finish_run(place.sessions, run_id)


def test_candidates_after_a_retry_are_compared_with_all_earlier_ones(place):
    run_id = add_finished_run(place, list(IMAGES)[1:])
    finalize_run.finish_run(place.sessions, run_id)
    label, key = ("dog", "b0/g0")
    phash, embedding, _ = IMAGES[label, key]
    with place.sessions.begin() as session:
        batch = session.scalars(select(Batch).order_by(Batch.id)).first()
        add_image(place, session, batch, key, (phash, embedding, 0.99))
        session.get_one(Run, run_id).state = RunState.ACTIVE
    finalize_run.finish_run(place.sessions, run_id)
    assert outcome(place)[0] == {("dog", "b1/g0"): (label, key), ("house", "b0/g0"): (label, key)}


def test_another_threshold_changes_who_is_a_duplicate_and_back(place):
    run_id = add_finished_run(place)
    finalize_run.finish_run(place.sessions, run_id)
    with place.sessions.begin() as session:
        run = session.get_one(Run, run_id)
        before = limits_in_force(session, run)
        seen = refilter(session, run, {**before, "duplicate_similarity": 0.99})
        assert (seen.accepted_before, seen.accepted_after) == (3, 4)
    assert outcome(place)[0] == {("dog", "b0/g0"): ("house", "b0/g0")}
    with place.sessions.begin() as session:
        run = session.get_one(Run, run_id)
        assert preview(session, run, before).accepted_after == 3
        refilter(session, run, {**before, "clip_similarity": 0.85})
    assert outcome(place)[1] == {("dog", "b1/g0"), ("house", "b0/g1")}
    with place.sessions.begin() as session:
        refilter(session, session.get_one(Run, run_id), before)
    assert outcome(place)[0] == DUPLICATES


def test_a_survey_takes_near_duplicates_into_account(place):
    run_id = add_finished_run(place)
    finalize_run.finish_run(place.sessions, run_id)
    with reading(place.sessions) as session:
        surveys = survey(session, session.get_one(Run, run_id))
    found = {one.name: one for one in surveys}
    assert len(found["duplicate_similarity"].values) == 3
    now = {one.threshold: one.accepted for one in found["duplicate_similarity"].survivors}
    assert now[0.95] == 3
    assert now[max(now)] > 3


def test_what_a_cancelled_run_made_is_left_as_it_was_judged(place):
    run_id = add_finished_run(place)
    with place.sessions.begin() as session:
        control.set_run_state(session, session.get_one(Run, run_id), RunState.CANCELLED)
    assert not finalize_run.finish_run(place.sessions, run_id)
    assert outcome(place)[0] == {}


def test_query_and_show_name_the_original_of_a_duplicate(sqlite_place):
    finalize_run.finish_run(sqlite_place.sessions, add_finished_run(sqlite_place))
    with sqlite_place.sessions() as session:
        query = select(Candidate).where(Candidate.duplicate_of_id.is_not(None))
        one, other = session.scalars(query.order_by(Candidate.id))

    def factory(*words):
        words = [*map(str, words), "--data-dir", str(sqlite_place.data_dir)]
        return CliRunner().invoke(app, words).stdout

    listed = factory("query", "--duplicates-of", one.duplicate_of_id, "--format", "csv")
    assert [line.split(",")[0] for line in listed.splitlines()[1:]] == [str(one.id), str(other.id)]
    assert f"near_duplicate of {one.duplicate_of_id}" in factory("show", one.id)
