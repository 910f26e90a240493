"""Quotas that no run can reach, however many candidates are accepted."""

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.planning.work import ALL, plan_work
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.domains import check_domains
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.factory.submission.quotas import is_reachable, reachable_instead
from chatgenimage.tasks.chain import most_candidates
from chatgenimage.tasks.options import ChainOptions

IN_FOUR_PLACES = ("in a forest", "on a beach", "in a desert", "in a meadow")


@pytest.mark.parametrize("mode", ["scene", "object"])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_an_image_gives_as_many_candidates_as_are_planned_at_most(mode, rounds):
    chain = ChainOptions(
        per_label=1, rounds=rounds, scenes_per_candidate=3, placements_per_candidate=2, mode=mode
    )
    planned = {each.step: each for each in plan_work([LabelRequest("dog")], chain, ALL)}
    assert most_candidates(chain, mode) == planned["filter"].most


@pytest.mark.parametrize(
    ("chain", "part"),
    [
        ({}, "an image gives at most 5 (itself, its edits and fills); expected `max_images` 5"),
        ({"mode": "object"}, "expected `max_images` 7 or more, or `accepted` 12 or less"),
        ({"rounds": 0}, "there are no edits or fills; expected `max_images` 21 or more"),
    ],
)
def test_a_column_that_is_never_reached_is_refused_with_its_line(chain, part):
    dog = LabelRequest("dog", accepted=21, max_images=4)
    with pytest.raises(BadLabels) as caught:
        check_domains(load_settings("micro", chain=chain), [dog], {"dog": "a.csv, line 2"})
    [problem] = caught.value.problems
    assert problem.startswith("a.csv, line 2: label 'dog': `accepted` 21 cannot be reached with")
    assert part in problem


def test_what_everything_accepted_would_reach_is_taken():
    check_domains(load_settings("micro"), [LabelRequest("dog", accepted=20, max_images=4)])


def test_options_of_the_run_are_refused_once(tmp_path):
    (tmp_path / "a.csv").write_text("label,max_images\ndog,\nhouse,\ntree,2\n")
    words = ["plan", "--file", str(tmp_path / "a.csv"), "--accepted", "50", "--max-images", "9"]
    result = CliRunner().invoke(app, [*words, "--data-dir", str(tmp_path / "data")])
    assert result.exit_code == 2
    [_, of_the_run, of_a_label] = result.stderr.splitlines()
    assert of_the_run.startswith("  --accepted 50 cannot be reached with --max-images 9: ")
    assert "a.csv, line 4: label 'tree': --accepted 50 cannot be reached with `max_i" in of_a_label


def test_each_domain_has_to_reach_its_share():
    assert is_reachable(24, 5, per_image=5, domains=0)
    assert not is_reachable(24, 5, per_image=5, domains=3)  # 8 accepted from 1 image
    assert reachable_instead(24, 5, per_image=5, domains=3) == (17, 6)
    chain = {"domains": IN_FOUR_PLACES, "rounds": 0}
    with pytest.raises(BadLabels, match="expected `max_images` 8 or more, or `accepted` 7 or less"):
        check_domains(
            load_settings("micro", chain=chain), [LabelRequest("dog", accepted=8, max_images=7)]
        )
