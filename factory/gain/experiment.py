"""Experiment: train every arm with every seed, measure on the test set, keep what is finished."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chatgenimage.factory.gain.arms import Arm, plan_arms
from chatgenimage.factory.gain.cells import Cell, find_cell, fingerprint_of, hash_all, write_cell
from chatgenimage.factory.gain.interfaces import Trainer, TrainingPlan
from chatgenimage.factory.gain.metrics import score_predictions
from chatgenimage.factory.gain.result import ArmFacts, GainResult
from chatgenimage.factory.gain.values import Augmentation, LabelledImage, Task

FINGERPRINTED = {
    Augmentation.NONE: False,
    Augmentation.MILD: "mild",
    Augmentation.STRONG: True,
}
"""Values in fingerprints; another value would make every finished training void."""
TIMED_STEPS = 4
TIMED_IMAGES = 16


@dataclass(frozen=True, slots=True)
class Experiment:
    """What to compare.

    Attributes:
        real: The real training set; may be empty.
        synthetic: All synthetic candidates; `is_accepted` says which ones the filters kept.
        test: The real test set.
        classes: Names to measure.
        seeds: Each gives every arm the same start.
        steps: Optimizer steps of each training.
        arm_names: Which arms; empty: all that the images allow.
        extra_arms: Arms of the caller, in addition to those.
        notes: What the guards found, for the report.
    """

    trainer: Trainer
    real: tuple[LabelledImage, ...]
    synthetic: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]
    classes: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 300
    batch_size: int = 8
    arm_names: tuple[str, ...] = ()
    extra_arms: tuple[Arm, ...] = ()
    notes: tuple[str, ...] = ()

    def arms(self) -> list[Arm]:
        """Return the arms, in the order of the report."""
        arms = plan_arms(self.real, self.synthetic)
        chosen = [arm for arm in arms if not self.arm_names or arm.name in self.arm_names]
        return [*chosen, *self.extra_arms]


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of an experiment: an arm with a seed.

    Attributes:
        found: Its result, if an earlier call finished it.
    """

    arm: Arm
    seed: int
    fingerprint: str
    found: Cell | None


class Watch(Protocol):
    """Follows an experiment, e.g. as a progress bar."""

    def begin(self, trial: Trial) -> None:
        """Note that a training begins."""
        ...

    def step(self) -> None:
        """Note that a step of it is done."""
        ...

    def end(self, cell: Cell) -> None:
        """Note that it is finished and kept."""
        ...


def list_trials(experiment: Experiment, out_dir: Path) -> list[Trial]:
    """Return every training of an experiment; seed by seed, so that each seed compares all arms."""
    digests: dict[int, str] = {}  # by identity: equal images of two sets are two objects
    for image in _all_images(experiment):
        if id(image) not in digests:
            digests[id(image)] = image.digest()
    test = hash_all([digests[id(one)] for one in experiment.test])
    common: dict[str, Any] = {
        "test": test,
        "classes": experiment.classes,
        "trainer": experiment.trainer.identity,
        "steps": experiment.steps,
        "batch_size": experiment.batch_size,
    }
    arms = experiment.arms()
    images = {arm.name: hash_all([digests[id(one)] for one in arm.images]) for arm in arms}

    def trial(arm: Arm, seed: int) -> Trial:
        """Return the training of an arm with a seed."""
        own: dict[str, Any] = {"arm": arm.name, "seed": seed, "images": images[arm.name]}
        own["augment"] = FINGERPRINTED[arm.augment]
        fingerprint = fingerprint_of(common | own)
        return Trial(arm, seed, fingerprint, find_cell(out_dir, fingerprint))

    return [trial(arm, seed) for seed in experiment.seeds for arm in arms]


def run_experiment(
    experiment: Experiment,
    out_dir: Path,
    watch: Watch | None = None,
    trials: Sequence[Trial] | None = None,
) -> GainResult:
    """Train what is not finished yet, and return all values.

    Args:
        experiment: What to compare.
        out_dir: Folder of the results; each finished training is a file in it, which the next call
            uses instead of training again.
        watch: Follows it.
        trials: From `list_trials`; None: they are listed now.

    Raises:
        TrainingFailed: If a training diverges.
        CannotWrite: If a result cannot be written.
    """
    if trials is None:
        trials = list_trials(experiment, out_dir)
    cells = [trial.found or _train(experiment, trial, out_dir, watch) for trial in trials]
    return _result_of(experiment, cells)


def estimate_s(experiment: Experiment, trials: Sequence[Trial]) -> float:
    """Return about how many seconds the unfinished trainings take, from a few timed steps."""
    waiting = [trial for trial in trials if trial.found is None]
    if not waiting:
        return 0.0
    longest = max(waiting, key=lambda trial: (_effort(trial.arm), len(trial.arm.images)))
    steps: list[float] = []
    plan = TrainingPlan(
        longest.seed,
        TIMED_STEPS,
        experiment.batch_size,
        longest.arm.augment,
        lambda: steps.append(time.monotonic()),
    )
    model = experiment.trainer.train(longest.arm.images, experiment.classes, plan)
    started = time.monotonic()
    timed = experiment.test[:TIMED_IMAGES]
    model.predict(timed)
    predict_s = (time.monotonic() - started) / len(timed) * len(experiment.test)
    step_s = (steps[-1] - steps[0]) / (len(steps) - 1)  # without the first, which warms up
    return len(waiting) * (experiment.steps * step_s + predict_s)


def _effort(arm: Arm) -> int:
    return list(Augmentation).index(arm.augment)


def _train(experiment: Experiment, trial: Trial, out_dir: Path, watch: Watch | None) -> Cell:
    """Train one model, measure it on the test set, and write its cell."""
    if watch is not None:
        watch.begin(trial)
    started = time.monotonic()
    plan = TrainingPlan(
        trial.seed,
        experiment.steps,
        experiment.batch_size,
        trial.arm.augment,
        watch.step if watch is not None else lambda: None,
    )
    model = experiment.trainer.train(trial.arm.images, experiment.classes, plan)
    predictions = model.predict(experiment.test)
    values = score_predictions(
        experiment.trainer.task, experiment.test, predictions, experiment.classes
    )
    seconds = time.monotonic() - started
    cell = Cell(trial.arm.name, trial.seed, trial.fingerprint, seconds, tuple(values))
    write_cell(out_dir, cell)
    if watch is not None:
        watch.end(cell)
    return cell


def _result_of(experiment: Experiment, cells: Sequence[Cell]) -> GainResult:
    """Return the result of all trainings of an experiment."""
    return GainResult(
        task=experiment.trainer.task,
        classes=experiment.classes,
        domains=dict(sorted(Counter(one.domain for one in experiment.test).items())),
        test_objects=_count_objects(experiment),
        arms=tuple(_facts_of(arm) for arm in experiment.arms()),
        cells=tuple(cells),
        settings={
            **experiment.trainer.identity,
            "steps": experiment.steps,
            "batch_size": experiment.batch_size,
            "seeds": list(experiment.seeds),
        },
        notes=experiment.notes,
    )


def _count_objects(experiment: Experiment) -> dict[str, int]:
    if experiment.trainer.task is Task.CLASSIFY:
        found = Counter(one.label for one in experiment.test)
        return {label: found[label] for label in experiment.classes}
    counts = Counter(known.label for one in experiment.test for known in one.objects)
    return {label: counts[label] for label in experiment.classes}


def _facts_of(arm: Arm) -> ArmFacts:
    count = len(arm.images)
    return ArmFacts(arm.name, arm.kind, count, arm.synthetic, arm.augment, arm.share, arm.source)


def _all_images(experiment: Experiment) -> Iterator[LabelledImage]:
    yield from (*experiment.real, *experiment.synthetic, *experiment.test)
    for arm in experiment.extra_arms:
        yield from arm.images
