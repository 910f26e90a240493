import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.cli import app
from chatgenimage.factory.curation.reviews import read_marks
from chatgenimage.factory.curation.thresholds import (
    calibrate,
    marks_of,
    quality_of,
    survey,
    thresholds_between,
)
from chatgenimage.factory.errors import BadMarks
from chatgenimage.factory.reports.charts import bin_edges
from chatgenimage.tasks.filter_rules import CLIP_RANK, CLIP_SIMILARITY
from tests import rows

VALUES = (0.2, 0.4, 0.5, 0.7, 0.8, 0.9)


@pytest.fixture
def judged(place):
    """Six initial images; those with a score of at least 0.6 are accepted."""
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, state="done"))
        for index, value in enumerate(VALUES):
            rows.add_candidate(
                place,
                session,
                batch,
                key=f"b0/g{index}",
                origin=Origin.GENERATED,
                verdict=Verdict.ACCEPTED if value >= 0.6 else Verdict.REJECTED,
                reason=None if value >= 0.6 else "text_mismatch",
                scores={"clip_similarity": value, "label_confidence": 0.9},
            )
    return place


def asked(place, question, *more):
    with reading(place.sessions) as session:
        return question(session, get_run(session, 1), *more)


def marked(tmp_path, text):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    return path


def test_survivors_are_counted_at_each_value(judged):
    clip = next(one for one in asked(judged, survey) if one.name == "clip_similarity")
    assert (clip.threshold, clip.values) == (0.65, VALUES)
    accepted = {one.threshold: one.accepted for one in clip.survivors}
    assert (accepted[0.2], accepted[0.65], accepted[0.9]) == (6, 3, 1)
    assert all(one.passing == one.accepted for one in clip.survivors)


def test_another_rule_keeps_what_this_one_would_let_through(judged):
    confidence = next(one for one in asked(judged, survey) if one.name == "label_confidence")
    assert {(one.passing, one.accepted) for one in confidence.survivors} == {(6, 3)}


def test_reviews_suggest_the_threshold_that_separates_them_best(judged, tmp_path):
    path = marked(tmp_path, "candidate,mark\n1,bad\n2,bad\n3,good\n4,good\n6,good\n")
    marks = asked(judged, read_marks, path)
    advice = {one.name: one for one in asked(judged, calibrate, marks)}["clip_similarity"]
    assert (advice.best.precision, advice.best.recall) == (1.0, 1.0)
    assert 0.4 < advice.best.threshold < 0.5
    assert (advice.now.precision, advice.now.recall) == (1.0, pytest.approx(2 / 3))


def test_a_threshold_that_gains_nothing_is_not_suggested(judged, tmp_path):
    path = marked(tmp_path, "candidate,mark\n1,bad\n2,bad\n3,bad\n4,good\n6,good\n")
    told = command(judged, "thresholds", "1", "--marks", str(path))
    assert "no other threshold sorts what is marked better" in told
    assert "refilter" not in told


def test_the_best_of_a_rule_that_lower_is_better_may_let_all_pass():
    assert thresholds_between([3.0, 1.0]) == [1.0, 2.0, 3.0]


def test_a_threshold_is_an_edge_of_the_bins():
    edges = bin_edges([0.1, 0.9], 0.3)
    assert min(abs(edge - 0.3) for edge in edges) < 1e-9
    assert edges[0] <= 0.1
    assert edges[-1] > 0.9
    assert len(bin_edges([1.0], 1.0)) >= 2


def test_reviews_may_name_candidates_by_label_and_key(judged, tmp_path):
    path = marked(tmp_path, "label,key,mark\ndog,b0/g0,BAD\ndog,b0/g5,good\n")
    assert asked(judged, read_marks, path) == {1: False, 6: True}


def test_reviews_in_the_database_count_like_those_of_a_file(judged, tmp_path):
    path = marked(tmp_path, "candidate,mark\n1,bad\n2,bad\n3,good\n4,good\n6,good\n")
    from_file = asked(judged, marks_of, str(path))
    with pytest.raises(BadMarks, match="factory gallery"):
        asked(judged, marks_of, "gallery")
    command(judged, "mark", "--file", str(path))
    assert asked(judged, marks_of, "gallery") == from_file
    advice = command(judged, "thresholds", "1", "--marks", "gallery", "--json")["advice"]
    assert [(one["name"], one["marked"]) for one in advice] == [("clip_similarity", 5)]


def command(place, *words):
    """Run a command that must succeed; return its output, parsed if it is JSON."""
    result = CliRunner().invoke(app, [*words, "--data-dir", str(place.data_dir)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in words else result.stdout


def test_precision_is_none_where_nothing_passes_and_a_rank_counts_downwards():
    pairs = [(0.2, True), (0.4, False)]
    assert quality_of(CLIP_SIMILARITY, pairs, 0.9).precision is None
    assert quality_of(CLIP_RANK, [(1.0, True), (5.0, False)], 4.0).precision == 1.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("candidate,mark\n1,bad\n99,good\n", "line 3"),
        ("candidate,mark\n1,fine\n", "line 2: expected the columns mark"),
        ("label,key,mark\ncat,b0/g0,good\n", "line 2"),
        ("candidate,mark\n1,good\n", "good of some candidates and bad of others"),
    ],
    ids=["no such candidate", "no such mark", "no such label", "one kind only"],
)
def test_an_unusable_review_is_reported_with_its_line(judged, tmp_path, text, told):
    with pytest.raises(BadMarks, match=told):
        asked(judged, marks_of, str(marked(tmp_path, text)))


def test_the_command_draws_and_advises(judged, tmp_path):
    path = marked(tmp_path, "candidate,mark\n1,bad\n2,bad\n3,good\n4,good\n")
    words = ["thresholds", "1", "--data-dir", str(judged.data_dir)]
    result = CliRunner().invoke(app, [*words, "--marks", str(path)])
    assert result.exit_code == 0, result.output
    assert "clip_similarity  6 measured, passes if at least 0.65" in result.stdout
    assert "factory refilter 1 --set clip_similarity=0.45" in result.stdout
    with Image.open(judged.data_dir / "run-1-thresholds.png") as picture:
        assert picture.width > 1000
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [score["measured"] for score in told["scores"]] == [6, 6]
    lost = CliRunner().invoke(app, [*words, "--marks", str(tmp_path / "none.csv")])
    assert lost.exit_code == 2
    assert "cannot read the reviews" in lost.stderr
