"""`factory plan`: the numbers of a run before it is submitted."""

import json

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from chatgenimage.db.models import Run, Step
from chatgenimage.db.run_times import MeanTime
from chatgenimage.db.states import Origin
from chatgenimage.factory.cli import app
from chatgenimage.factory.planning import assumed
from chatgenimage.factory.planning.earlier_runs import average_earlier_runs
from chatgenimage.factory.planning.plan import plan_run
from chatgenimage.factory.planning.work import ALL, count_questions, mean_pixels, plan_work
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import models_key
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.tasks.options import ChainOptions
from tests import rows

pytestmark = pytest.mark.models

PAPER = ChainOptions(per_label=8, batch_size=4, scenes_per_candidate=3, fill_predictions=4)
DOG = LabelRequest("dog")


def by_step(work):
    return {each.step: each for each in work}


def test_the_paper_s_options_are_at_most_128_diffusion_passes_per_label():
    work = plan_work([DOG, LabelRequest("cat")], PAPER, ALL)
    assert sum(each.most_passes for each in work) == 2 * 128
    assert by_step(work)["brainstorm"].most == 4


def test_rejected_images_are_neither_edited_nor_filled():
    shares = {Origin.GENERATED: 0.5, Origin.EDITED: 0.5, Origin.FILLED: 0.0}
    work = by_step(plan_work([DOG], PAPER, shares))
    assert (work["edit"].items, work["edit"].most) == (12, 24)
    assert (work["fill"].items, work["fill"].most) == (6, 24)
    assert count_questions(work.values(), 1) == {
        "features": 1,
        "prompts": 2,
        "scenes": 4,
        "placements": 6,
    }


def test_object_centric_labels_have_no_fills_and_no_rounds_mean_no_edits():
    objects = by_step(plan_work([LabelRequest("dog", mode="object")], PAPER, ALL))
    assert not {"place", "fill"} & objects.keys()
    plain = by_step(plan_work([DOG], PAPER.model_copy(update={"rounds": 0}), ALL))
    assert plain.keys() == {"brainstorm", "generate", "label", "filter"}


def test_the_mean_size_counts_the_images_of_each_label():
    chain = PAPER.model_copy(update={"sizes": {"cat": (1024, 512)}})
    requests = [LabelRequest("dog", 6), LabelRequest("cat", 2)]
    assert mean_pixels(requests, chain, (512, 512)) == 512**2 * 10 / 8


def test_a_quota_is_planned_from_the_accepted_share_up_to_its_maximum():
    only_first = PAPER.model_copy(update={"rounds": 0})
    request = LabelRequest("dog", accepted=100, max_images=500)
    work = by_step(plan_work([request], only_first, {Origin.GENERATED: 0.5}))
    assert (work["generate"].items, work["generate"].most) == (200, 500)


def test_earlier_runs_of_the_same_models_replace_what_is_assumed(place):
    settings = load_settings("micro", data_dir=place.data_dir)
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        run.models_key = models_key(settings)
        [batch] = rows.batches_of(session, run)
        rows.add_steps(session, batch)
        rows.add_family(place, session, batch)
        step = session.scalars(select(Step).where(Step.name == "generate")).one()
        for number, seconds in enumerate((1.0, 3.0)):
            rows.add_item(session, step, number).duration_s = seconds
    known = average_earlier_runs(settings)
    assert known.times == {"generate": MeanTime(2.0, 2)}
    assert set(known.shares.values()) == {1.0}
    plan = plan_run(settings, [DOG])
    generate = next(step for step in plan.steps if step.work.step == "generate")
    assert (generate.item_s, generate.source) == (2.0, "measured (2 items)")
    with place.sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0020'"))
    assert average_earlier_runs(settings).times == known.times
    with place.sessions.begin() as session:
        session.scalars(select(Run)).one().models_key = "other"
    assert average_earlier_runs(settings).times == {}


def test_a_larger_image_and_more_predictions_take_longer():
    family = load_settings("sd15").families["diffusion"]
    usual = assumed.item_seconds("generate", family, PAPER, 512**2)
    assert assumed.item_seconds("fill", family, PAPER, 512**2) == 4 * usual
    assert assumed.item_seconds("generate", family, PAPER, 1024**2) == 4 * usual


def plan_of(*words):
    return CliRunner().invoke(app, ["plan", *words])


def test_the_command_says_what_is_downloaded_and_where_each_number_is_from(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    ended = plan_of("fire hydrant", "--profile", "sd15", "--data-dir", str(tmp_path / "none"))
    assert ended.exit_code == 0
    for part in (
        "at most 128 (128 per label)",
        "Downloads: 27.6 GB",
        "tokens sent",
        "(assumed); cost not known: no price is set",
        "17.9 GB in one worker for all roles",
    ):
        assert part in ended.output
    assert not (tmp_path / "none").exists()


def test_prices_give_a_cost_and_json_has_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__PROMPT_PRICE", "2")
    place = ["--data-dir", str(tmp_path)]
    told = json.loads(plan_of("dog", "--profile", "sd15", "--json", *place).stdout)
    language = told["language"]
    assert language["cost"] == pytest.approx(2 * language["sent"] / 1e6)
    assert {step["step"] for step in told["steps"]} >= {"generate", "edit", "fill"}
    assert told["hours"] is None or told["hours"] > 0


def test_labels_are_checked_as_for_a_run():
    ended = plan_of("unicorn")
    assert ended.exit_code == 2
    assert "unicorn" in ended.stderr
