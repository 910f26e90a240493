"""Options that would be ignored are refused: one line, exit code 2, nothing done."""

import pytest
from sqlalchemy import func, select

from chatgenimage.db.models import Run
from tests import rows

REFUSED = {
    ("run", "dog", "--yes"): "--yes has no effect without --preview",
    ("resume", "--no-worker", "--workers", "2"): "--workers has no effect with --no-worker",
    ("resume", "--no-worker", "--json"): "--json has no effect with --no-worker",
    ("status", "--csv", "-", "--limit", "1", "--json"): "--limit and --json have no effect with",
    ("status", "--csv", "-", "--sort", "name"): "--sort has no effect with --csv",
    ("mark", "good", "1", "--run", "1"): "--run has no effect without --file",
    ("mark", "good", "--file", "marks.csv"): "MARK has no effect with --file",
    ("refilter", "1", "--yes"): "--yes has no effect without --set or --submitted",
    ("refilter", "1", "--dry-run"): "--dry-run has no effect without --set or --submitted",
    ("retry", "1", "--all"): "RUN has no effect with --all",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_an_option_that_would_be_ignored_is_refused(factory, filled_place, words):
    ended = factory(*words)
    assert ended.exit_code == 2, ended.output
    assert REFUSED[words] in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
    with filled_place.sessions() as session:
        assert session.scalar(select(func.count(Run.id))) == 1
        assert rows.marks(session) == {}


def test_the_picture_of_the_histograms_is_written_with_json_too_if_a_name_is_given(
    factory, tmp_path
):
    picture = tmp_path / "histograms.png"
    assert factory("thresholds", "--json", "--out", picture).exit_code == 0
    assert picture.is_file()
