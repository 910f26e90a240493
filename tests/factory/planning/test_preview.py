"""The preview in the plan: what `factory run --preview` takes before it asks."""

import json

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.planning.preview import (
    plan_preview,
    total_cost,
    total_images,
    total_questions,
)
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import LabelRequest

pytestmark = pytest.mark.models


def test_a_preview_has_one_image_of_each_label_and_no_edits(tmp_path):
    settings = load_settings("sd15", data_dir=tmp_path, chain={"accepted": 50, "rounds": 2})
    requests = [
        LabelRequest("dog", per_label=20, max_images=100),
        LabelRequest("cat", domains=("at night", "in fog")),
    ]
    found = plan_preview(settings, requests)
    steps = {step.work.step: (step.work.items, step.work.most) for step in found.steps}
    assert steps == dict.fromkeys(("brainstorm", "generate", "label", "filter"), (2, 2))
    assert (total_images(found), total_questions(found), total_cost(found)) == (2, 4, None)
    assert found.hours == pytest.approx(2 * (5.0 + 2.0 + 1.0 + 0.1) / 3600)


def test_the_command_has_a_line_and_json_has_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__PROMPT_PRICE", "1000")
    words = ["plan", "dog", "cat", "--profile", "sd15", "--data-dir", str(tmp_path)]
    shown = CliRunner().invoke(app, words)
    preview = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["preview"]
    assert (preview["images"], preview["questions"]) == (2, 4)
    line = shown.stdout.splitlines()[-1]
    assert line == (
        f"Preview (--preview): 2 first images of these; 4 questions, cost about "
        f"{preview['cost']:.2f}, {3600 * preview['hours']:.1f} s; it asks before the rest."
    )


def test_a_run_that_is_only_its_first_images_has_no_line(tmp_path):
    words = ["plan", "dog", "--per-label", "1", "--rounds", "0", "--data-dir", str(tmp_path)]
    assert "--preview" not in CliRunner().invoke(app, words).stdout
