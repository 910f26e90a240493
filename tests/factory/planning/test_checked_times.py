"""Times of `factory models check` in the plan of a run."""

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.checkpoints.trial_times import FILE, TrialTime, recall_trials
from chatgenimage.factory.checkpoints.trial_times import remember_trial as remember
from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.planning.checked import checked_seconds
from chatgenimage.factory.planning.plan import plan_run
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.workers.trial import TrialResult

MICRO = {
    "language": {"features": 0.5},
    "diffusion": {"generate": 2.0, "fill": 3.0},
    "editing": {"edit": 4.0},
    "captioning": {"caption": 0.1, "ask": 0.7},
    "detection": {"detect": 0.2},
    "segmentation": {"segment": 0.4},
    "similarity": {"embed": 0.01},
}


def result(seconds):
    return TrialResult("cpu", 1.0, 1.0, 1, "something", seconds)


@pytest.fixture
def settings(tmp_path):
    return load_settings("micro", data_dir=tmp_path, device="cpu")


def seconds_of(settings, step, **changes):
    tried = {**MICRO, **changes}
    trials = {key: TrialTime("any", "cpu", some, 0.0) for key, some in tried.items() if some}
    return checked_seconds(settings, step, trials)


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        ("brainstorm", 1.0),
        ("generate", 2.0),
        ("edit", 4.0),
        ("label", 0.7),
        ("filter", 0.01),
        ("place", 0.5),
    ],
)
def test_a_step_takes_what_its_models_take(settings, step, seconds):
    assert seconds_of(settings, step) == pytest.approx(seconds)


def test_a_fill_takes_as_many_passes_as_predictions(settings):
    chain = settings.chain.model_copy(update={"fill_predictions": 4})
    assert seconds_of(settings.model_copy(update={"chain": chain}), "fill") == 12.0


def test_a_detector_that_cuts_out_needs_no_segmenter(settings):
    found = seconds_of(settings, "label", detection={"find": 0.3, "segment": 9.0})
    assert found == pytest.approx(0.4)


def test_a_step_with_a_model_that_was_not_tried_is_not_known(settings):
    assert seconds_of(settings, "label", segmentation=None) is None
    assert seconds_of(settings, "generate", diffusion={"fill": 1.0}) is None


def test_times_belong_to_a_model_its_settings_the_size_and_the_device(settings, tmp_path):
    remember(settings, "similarity", result({"embed": 0.5}))
    remember(settings, "editing", result({"edit": 4.0}))
    found = recall_trials(settings, has_device=True)
    assert {key: one.seconds for key, one in found.items()} == {
        "similarity": {"embed": 0.5},
        "editing": {"edit": 4.0},
    }
    assert recall_trials(settings, has_device=False) == {}
    families = {"editing": {"num_inference_steps": 5}}
    other = load_settings("micro", data_dir=tmp_path, device="cpu", families=families)
    assert recall_trials(other, has_device=True).keys() == {"similarity"}
    families = {"diffusion": {"size_wh": [128, 128]}}
    larger = load_settings("micro", data_dir=tmp_path, device="cpu", families=families)
    assert recall_trials(larger, has_device=True) == {}


def test_the_plan_says_where_a_time_is_from(settings):
    for key, seconds in MICRO.items():
        remember(settings, key, result(seconds))
    steps = plan_run(settings, [LabelRequest("dog")]).steps
    assert {step.source for step in steps} == {"models check (1 item)"}
    times = {step.work.step: step.item_s for step in steps}
    assert (times["generate"], times["edit"]) == (2.0, 4.0)


def test_a_damaged_file_is_reported(settings, tmp_path):
    (tmp_path / FILE).write_text('{"a": 1}')
    with pytest.raises(SettingsError, match=r"model-times\.json cannot be read .*Delete it"):
        recall_trials(settings, has_device=True)


@pytest.mark.processes
def test_the_command_keeps_what_it_measures(settings, tmp_path):
    words = ["models", "check", "--only", "similarity", "--device", "cpu"]
    done = CliRunner().invoke(app, [*words, "--data-dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    [(key, time)] = recall_trials(settings, has_device=True).items()
    assert (key, set(time.seconds)) == ("similarity", {"embed"})
    plan = CliRunner().invoke(app, ["plan", "dog", "--data-dir", str(tmp_path)])
    assert "models check (1 item)" in plan.output
