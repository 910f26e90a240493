import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from chatgenimage.db.models import Candidate, Label, Rejudging, Score
from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.db.verdicts import list_changes
from chatgenimage.factory.cli import app
from chatgenimage.factory.curation.refilter import (
    limits_in_force,
    preview,
    refilter,
    submitted_limits,
)
from chatgenimage.factory.errors import RunUnfinished
from tests import rows

EDIT = {"objects_kept": 1.0, "psnr_db": 30.0, "ssim": 0.9, "background_probability": 0.9}
FILL = {"fill_iou": 0.8, "objects_kept": 1.0, "psnr_db": 100.0, "ssim": 1.0}
CANDIDATES = {
    "b0/g0": ({"label_confidence": 0.9, "clip_similarity": 0.9}, None),
    "b0/g0/e0": (EDIT | {"clip_similarity": 0.8, "clip_rank": 1.0}, None),
    "b0/g0/e0/f0": (FILL | {"clip_similarity": 0.95, "clip_rank": 1.0}, None),
    "b0/g0/e1": ({"objects_kept": 0.5}, "objects_lost"),
    "b0/g0/e2": (EDIT | {"clip_similarity": 0.7, "clip_rank": 2.0}, None),
    "b0/g1": ({"label_confidence": 0.9, "clip_similarity": 0.5}, "text_mismatch"),
    "b0/g2": ({}, "not_measured"),
}
ORIGINS = {"g": Origin.GENERATED, "e": Origin.EDITED, "f": Origin.FILLED}


@pytest.fixture
def judged(place):
    """A finished run whose verdicts match its scores."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, state="done")
        batch, made = rows.batch_of(session, run), {}
        for key, (scores, reason) in CANDIDATES.items():
            parent, _, name = key.rpartition("/")
            made[key] = rows.add_candidate(
                place,
                session,
                batch,
                key=key,
                parent=made.get(parent),
                origin=ORIGINS[name[0]],
                round=int("e" in key),
                verdict=Verdict.REJECTED if reason else Verdict.ACCEPTED,
                reason=reason,
                scores=scores,
            )
    return place


@pytest.fixture
def factory(judged):
    def run(*words):
        return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(judged.data_dir)])

    return run


def refiltered(place, **limits):
    with place.sessions.begin() as session:
        run = get_run(session, 1)
        return refilter(session, run, {**limits_in_force(session, run), **limits})


def verdicts(place):
    with reading(place.sessions) as session:
        return {c.key: c.reason or str(c.verdict) for c in session.scalars(select(Candidate))}


def everything(place):
    with reading(place.sessions) as session:
        scores = session.execute(select(Score.candidate_id, Score.name, Score.value))
        return verdicts(place), {(key, name): value for key, name, value in scores}


def test_the_thresholds_in_force_change_nothing(judged):
    with reading(judged.sessions) as session:
        run = get_run(session, 1)
        seen = preview(session, run, limits_in_force(session, run))
    assert (seen.limits, dict(seen.transitions)) == ({}, {})
    assert (seen.judged, seen.accepted_before, seen.accepted_after) == (7, 4, 4)


def test_a_higher_threshold_rejects_and_a_lower_one_accepts(judged):
    assert refiltered(judged, clip_similarity=0.75).accepted_after == 3
    assert verdicts(judged)["b0/g0/e2"] == "text_mismatch"
    seen = refiltered(judged, clip_similarity=0.4)
    assert (seen.accepted_before, seen.accepted_after) == (3, 5)
    assert verdicts(judged)["b0/g1"] == "accepted"


def test_descendants_of_a_newly_rejected_parent_are_rejected(judged):
    refiltered(judged, label_confidence=0.95)
    found = verdicts(judged)
    assert found["b0/g0"] == "label_not_found"
    assert found["b0/g0/e0"] == found["b0/g0/e0/f0"] == "parent_rejected"
    assert found["b0/g0/e1"] == "objects_lost"


def test_a_newly_accepted_parent_stays_without_children_and_is_counted(judged):
    seen = refiltered(judged, clip_similarity=0.4)
    assert seen.childless == 1
    with reading(judged.sessions) as session:
        assert len(session.scalars(select(Candidate)).all()) == len(CANDIDATES)


def test_a_candidate_without_a_score_is_never_accepted(judged):
    refiltered(judged, clip_similarity=-1, label_confidence=0, objects_kept=0)
    found = verdicts(judged)
    assert found["b0/g2"] == found["b0/g0/e1"] == "not_measured"


def test_a_missing_image_stays_rejected(judged):
    with judged.sessions.begin() as session:
        lost = session.scalars(select(Candidate).where(Candidate.key == "b0/g0/e0")).one()
        lost.verdict, lost.reason = Verdict.REJECTED, "image_missing"
    assert refiltered(judged, clip_similarity=0.0).accepted_after == 4
    assert verdicts(judged)["b0/g0/e0"] == "image_missing"


def test_ranks_follow_from_who_else_passes(judged):
    refiltered(judged, clip_rank=1)
    assert verdicts(judged)["b0/g0/e2"] == "ranked_out"
    refiltered(judged, clip_rank=1, psnr_db=99)
    _, scores = everything(judged)
    assert (2, "clip_rank") not in scores
    assert verdicts(judged)["b0/g0/e0"] == "pixels_changed"


def test_going_back_to_the_submitted_thresholds_restores_everything(judged):
    before = everything(judged)
    with reading(judged.sessions) as session:
        submitted = submitted_limits(get_run(session, 1))
    refiltered(judged, label_confidence=0.95, clip_rank=1, clip_similarity=0.85)
    assert everything(judged) != before
    refiltered(judged, **submitted)
    assert everything(judged) == before


def test_scores_are_stored_with_the_current_threshold(judged):
    refiltered(judged, clip_similarity=0.85)
    with reading(judged.sessions) as session:
        held = session.execute(
            select(Score.threshold, Score.passed)
            .where(Score.name == "clip_similarity")
            .order_by(Score.candidate_id)
        ).all()
    assert held == [(0.85, True), (0.85, False), (0.85, True), (0.85, False), (0.85, False)]


def test_every_judgement_is_remembered_with_its_author_and_thresholds(judged):
    refiltered(judged, clip_similarity=0.85)
    refiltered(judged, clip_similarity=0.6)
    with reading(judged.sessions) as session:
        (first, away), (second, back) = list_changes(session, 2)
    assert (first.limits["clip_similarity"], second.limits["clip_similarity"]) == (0.85, 0.6)
    assert "@" in first.author
    assert (away.verdict_before, away.verdict_after) == ("accepted", "rejected")
    assert (back.reason_before, back.verdict_after) == ("text_mismatch", "accepted")


@pytest.mark.parametrize("state", ["active", "paused"])
def test_an_active_run_is_not_refiltered(judged, state):
    with judged.sessions.begin() as session:
        get_run(session, 1).state = state
    with pytest.raises(RunUnfinished, match="--dry-run"):
        refiltered(judged, clip_similarity=0.9)


def test_other_runs_keep_their_verdicts(judged):
    with judged.sessions.begin() as session:
        other = rows.add_run(session, state="done")
        batch = rows.batch_of(session, other)
        rows.add_candidate(judged, session, batch, key="other", scores={"clip_similarity": 0.7})
    refiltered(judged, clip_similarity=0.85)
    assert verdicts(judged)["other"] == "accepted"


def test_without_yes_nothing_is_written(factory, judged):
    before = verdicts(judged)
    for more in ([], ["--dry-run"], ["--dry-run", "--yes"]):
        result = factory("refilter", 1, "--set", "clip_similarity=0.85", *more)
        assert result.exit_code == 0, result.output
        assert "clip_similarity 0.65 -> 0.85" in result.stdout
        assert "accepted 4 -> 2" in result.stdout
        assert "nothing was written" in result.stderr
    assert verdicts(judged) == before


def test_yes_writes_and_the_history_records_it(factory, judged):
    result = factory("refilter", 1, "--set", "clip_similarity=0.85", "--yes", "--json")
    told = json.loads(result.stdout)
    assert (told["written"], told["accepted_after"]) == (True, 2)
    assert {change["reason_after"] for change in told["changes"]} == {"text_mismatch"}
    assert "clip_similarity 0.85" in factory("refilter", 1).stdout
    assert json.loads(factory("refilter", 1, "--json").stdout)["rejudgings"][0]["changes"] == 2
    back = json.loads(factory("refilter", 1, "--submitted", "--yes", "--json").stdout)
    assert back["accepted_after"] == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("1", "--set", "clip=0.2"), "there are: brightest"),
        (("1", "--set", "ssim=high"), "expected ssim=NUMBER"),
        (("1", "--set", "ssim=inf"), "expected ssim=NUMBER"),
        (("9", "--set", "ssim=0.1"), "no run 9"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_unknown_score_or_value_is_refused(factory, words, told):
    result = factory("refilter", *words)
    assert result.exit_code == 2
    assert told in result.stderr


def test_labels_are_counted_apart(judged):
    with judged.sessions.begin() as session:
        session.scalars(select(Label)).one().name = "cat"
    with reading(judged.sessions) as session:
        run = get_run(session, 1)
        seen = preview(session, run, {**limits_in_force(session, run), "clip_similarity": 0.85})
        assert {label for label, *_ in seen.transitions} == {"cat"}
        assert session.scalars(select(Rejudging)).all() == []
