"""Trainings: every arm with every seed, by the code of `factory gain`, a seed per process."""
# ruff: noqa: T201  (progress goes to stdout)

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from benchmarks.gain.renders import draw_everywhere, draw_real, draw_test, load_world
from benchmarks.gain.setting import Setting
from benchmarks.gain.synthetic import label_renders, make_run
from chatgenimage.factory.gain.arms import Arm, Kind
from chatgenimage.factory.gain.cells import Cell
from chatgenimage.factory.gain.experiment import (
    Experiment,
    Trial,
    list_trials,
    run_experiment,
)
from chatgenimage.factory.gain.guards import guard
from chatgenimage.factory.gain.metrics import MAP50
from chatgenimage.factory.gain.result import GainResult
from chatgenimage.factory.gain.sets import ImageSets
from chatgenimage.factory.gain.trainers.registry import make_trainer
from chatgenimage.factory.gain.values import LabelledImage, Task
from training.backgrounds import SIZE_PX

TRUE_BOXES = "real + renders, true boxes"
FOUND_BOXES = "real + renders, boxes found by the factory"


@dataclass(frozen=True, slots=True)
class Material:
    """All images of the benchmark.

    Attributes:
        real: Real training images by seed.
        candidates: Of the run, those that the filters rejected too.
        renders: On all backgrounds, as many as the filters accepted; with their true boxes.
        relabelled: The same with the boxes that the factory found.
        test: Renders on the backgrounds that no real training image has.
    """

    real: dict[int, list[LabelledImage]]
    candidates: list[LabelledImage]
    renders: list[LabelledImage]
    relabelled: list[LabelledImage]
    test: list[LabelledImage]


class Log:
    """Prints each finished training."""

    def begin(self, trial: Trial) -> None:
        """Print nothing: a training takes less than a minute."""

    def step(self) -> None:
        """Print nothing."""

    def end(self, cell: Cell) -> None:
        """Print what the training reached."""
        (reached,) = [
            one.value
            for one in cell.values
            if (one.metric, one.domain, one.label) == (MAP50, None, None)
        ]
        print(f"seed {cell.seed}, {cell.arm}: {MAP50} {reached:.3f}", flush=True)


def prepare(setting: Setting, work: Path) -> Material:
    """Return the images; the run and the labels are made unless the folder has them."""
    work.mkdir(parents=True, exist_ok=True)
    world = load_world(setting)
    candidates = make_run(setting, work)
    renders = draw_everywhere(world, sum(one.is_accepted for one in candidates))
    return Material(
        real={seed: draw_real(world, setting, seed) for seed in setting.seeds},
        candidates=candidates,
        renders=renders,
        relabelled=label_renders(renders, setting, work),
        test=draw_test(world, setting),
    )


def train(setting: Setting, work: Path, processes: int) -> None:
    """Train what the folder has no result of; `processes` seeds at a time, a single one here."""
    if processes == 1:
        for seed in setting.seeds:
            train_seed(setting, work, seed)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for training in [pool.submit(train_seed, setting, work, seed) for seed in setting.seeds]:
            training.result()


def train_seed(setting: Setting, work: Path, seed: int) -> None:
    """Train every arm with one seed, on one core."""
    import torch

    torch.set_num_threads(1)
    run_experiment(plan(setting, prepare(setting, work), seed), work, Log())


def collect(setting: Setting, work: Path, material: Material) -> GainResult:
    """Return the results of all seeds as one; an arm that a seed has not finished is left out."""
    results = [find_results(setting, work, material, seed) for seed in setting.seeds]
    finished = set.intersection(*({cell.arm for cell in one.cells} for one in results))
    cells = [cell for one in results for cell in one.cells if cell.arm in finished]
    return replace(
        results[0],
        arms=tuple(arm for arm in results[0].arms if arm.name in finished),
        cells=tuple(cells),
        notes=list(dict.fromkeys(note for one in results for note in one.notes)),
    )


def find_results(setting: Setting, work: Path, material: Material, seed: int) -> GainResult:
    """Return what a seed has finished; nothing is trained."""
    experiment = plan(setting, material, seed)
    found = [trial for trial in list_trials(experiment, work) if trial.found]
    return run_experiment(experiment, work, trials=found)


def plan(setting: Setting, material: Material, seed: int) -> Experiment:
    """Return the experiment of one seed: the arms of `factory gain`, and those with renders."""
    sets = ImageSets(tuple(material.real[seed]), tuple(material.candidates), tuple(material.test))
    task, sets = guard(sets, Task.DETECT)
    return Experiment(
        make_trainer(task, SIZE_PX),
        sets.real,
        sets.synthetic,
        sets.test,
        setting.labels,
        (seed,),
        setting.steps,
        setting.batch_size,
        extra_arms=(
            Arm(TRUE_BOXES, Kind.CONTROL, (*sets.real, *material.renders)),
            Arm(FOUND_BOXES, Kind.CONTROL, (*sets.real, *material.relabelled)),
        ),
        notes=sets.notes,
    )
