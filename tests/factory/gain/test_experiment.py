import json
from dataclasses import dataclass, field, replace

import pytest

from chatgenimage.factory.gain.arms import Arm, Kind
from chatgenimage.factory.gain.cells import CELLS
from chatgenimage.factory.gain.experiment import (
    Experiment,
    estimate_s,
    list_trials,
    run_experiment,
)
from chatgenimage.factory.gain.report import to_gain_page, to_record, write_report
from chatgenimage.factory.gain.values import Augmentation, Prediction, Source, Task
from chatgenimage.factory.gain.verdict import (
    class_gains,
    explain_controls,
    explain_origins,
    list_harmed,
    state_gain,
)
from tests.factory.gain.pictures import CLASSES, pictures


@dataclass
class RuleTrainer:
    """A trainer without a network: its model is right on the first images, the more it has seen.

    On the domain "day" it is always right; edited images make it wrong on every disc.
    """

    name: str = "rule"
    task: Task = Task.CLASSIFY
    trained: list = field(default_factory=list)
    interrupt_at: int = -1

    @property
    def identity(self):
        return {"trainer": self.name}

    def train(self, images, classes, plan):  # noqa: ARG002  # of the protocol
        if len(self.trained) == self.interrupt_at:
            raise KeyboardInterrupt
        for _ in range(plan.steps):
            plan.on_step()
        self.trained.append((len(images), plan.seed, plan.augment))
        return RuleModel({one.source for one in images}, plan.seed)


@dataclass
class RuleModel:
    """What a `RuleTrainer` returns."""

    sources: set
    seed: int

    def predict(self, images):
        right = 4 + self.seed + (8 if Source.GENERATED in self.sources else 0)
        return [
            Prediction(label=self._guess(image, number < right))
            for number, image in enumerate(images)
        ]

    def _guess(self, image, is_right):
        if image.label == "disc" and Source.EDITED in self.sources:
            return "square"
        other = {"disc": "square", "square": "disc"}[image.label]
        return image.label if is_right or image.domain == "day" else other


def make(trainer=None, **changes):
    """Return an experiment with generated and edited images, and two domains."""
    test = [
        replace(one, domain="night" if number < 20 else "day")
        for number, one in enumerate(pictures(40, seed=3))
    ]
    synthetic = (*pictures(8, seed=2, source=Source.GENERATED),)
    experiment = Experiment(
        trainer or RuleTrainer(),
        tuple(pictures(4, seed=1)),
        synthetic,
        tuple(test),
        CLASSES,
        steps=3,
    )
    return replace(experiment, **changes)


def test_every_arm_is_trained_with_every_seed(tmp_path):
    experiment = make(arm_names=("real", "real + synthetic"))
    result = run_experiment(experiment, tmp_path)
    assert experiment.trainer.trained == [
        (size, seed, Augmentation.NONE) for seed in (0, 1, 2) for size in (4, 12)
    ]
    assert result.values("real", "accuracy") == {0: 24 / 40, 1: 25 / 40, 2: 26 / 40}
    assert result.values("real", "accuracy", "night") == {0: 4 / 20, 1: 5 / 20, 2: 6 / 20}


def test_finished_trainings_are_not_repeated_after_an_interrupt(tmp_path):
    first = make(RuleTrainer(interrupt_at=4))
    with pytest.raises(KeyboardInterrupt):
        run_experiment(first, tmp_path)
    assert len(list((tmp_path / CELLS).iterdir())) == 4
    second = make()
    resumed = run_experiment(second, tmp_path)
    trials = list_trials(second, tmp_path)
    assert len(first.trainer.trained) + len(second.trainer.trained) == len(trials)
    assert resumed.cells[:4] == run_experiment(make(), tmp_path).cells[:4]
    assert estimate_s(second, trials) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 4},
        {"batch_size": 4},
        {"classes": ("disc",)},
        {"trainer": RuleTrainer(name="other")},
        {"test": tuple(pictures(40, seed=9))},
        {"real": tuple(pictures(4, seed=9))},
    ],
)
def test_a_result_counts_for_the_same_inputs_alone(change, tmp_path):
    names = ("real",)
    run_experiment(make(arm_names=names), tmp_path)
    assert all(trial.found for trial in list_trials(make(arm_names=names), tmp_path))
    changed = make(arm_names=names, **change)
    assert not any(trial.found for trial in list_trials(changed, tmp_path))


def test_arms_of_a_caller_are_trained_too(tmp_path):
    some = tuple(pictures(5, seed=7))
    experiment = make(arm_names=("real",), extra_arms=(Arm("mine", Kind.CONTROL, some),))
    result = run_experiment(experiment, tmp_path)
    assert [arm.name for arm in result.arms] == ["real", "mine"]
    assert result.values("mine", "accuracy") == result.values("real", "accuracy")


def test_a_damaged_result_is_trained_again(tmp_path):
    experiment = make(arm_names=("real",))
    run_experiment(experiment, tmp_path)
    for path in (tmp_path / CELLS).iterdir():
        path.write_text(path.read_text()[:40])
    assert not any(trial.found for trial in list_trials(experiment, tmp_path))


def test_the_verdict_names_the_gain_of_each_domain(tmp_path):
    result = run_experiment(make(), tmp_path)
    assert state_gain(result) == (
        "The synthetic images add 20.0 ± 0.0 accuracy; add 40.0 ± 0.0 accuracy on night; nothing "
        "certain on day (real + synthetic, compared with real)."
    )


def test_origins_controls_and_harmed_classes_are_said(tmp_path):
    edited = pictures(8, seed=4, source=Source.EDITED)
    experiment = make(synthetic=(*pictures(8, seed=2, source=Source.GENERATED), *edited))
    result = run_experiment(experiment, tmp_path)
    generated, of_edited = explain_origins(result)
    assert generated == "8 generated images add 20.0 ± 0.0 accuracy."
    assert of_edited.startswith("8 edited images cost ")
    assert explain_controls(result)[0] == (
        "The real images, repeated to the same number, make no measurable difference "
        "(+0.0 ± 0.0 accuracy)."
    )
    assert [label for label, _ in list_harmed(result)] == ["disc"]
    assert [label for label, _ in class_gains(result)] == ["disc", "square"]


def test_without_real_images_the_verdict_is_the_level(tmp_path):
    result = run_experiment(make(real=()), tmp_path)
    assert state_gain(result).startswith("The synthetic images alone reach 82.5 ± 6.2 accuracy")
    assert to_record(result)["compared"] is None
    assert "there is nothing to compare them with" in to_gain_page(result)


def test_the_report_has_every_arm_and_is_json_without_nan(tmp_path):
    result = run_experiment(make(seeds=(0,), notes=("a <note>",)), tmp_path)
    results, page = write_report(result, tmp_path)
    record = json.loads(results.read_text(), parse_constant=pytest.fail)
    html = page.read_text()
    assert record["gain"]["half_width"] is None
    assert record["notes"] == ["a <note>"]
    assert "a &lt;note&gt;" in html
    assert html.count("<svg") == 4
    for arm in record["arms"]:
        assert f"<td>{arm['name']}</td>" in html
        (whole,) = [one for one in arm["values"] if (one["domain"], one["class"]) == (None, None)]
        assert whole["by_seed"].keys() == {"0"}
