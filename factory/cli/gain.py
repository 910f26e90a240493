"""`factory gain`: measure what a dataset is worth on a real test set."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from chatgenimage.factory.cli.common import (
    CONTINUES,
    AsJson,
    StoreOptions,
    end_stopped,
    expected_errors,
    print_json,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.errors import CannotWrite, LibraryMissing, SettingsError
from chatgenimage.factory.query.filters import check_name
from chatgenimage.factory.settings.arguments import MAX_ID
from chatgenimage.factory.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatgenimage.factory.gain.experiment import Experiment, Trial
    from chatgenimage.factory.gain.result import GainResult
    from chatgenimage.factory.gain.sets import ImageSets
    from chatgenimage.factory.gain.values import LabelledImage

LIBRARIES = ("accelerate", "imagehash", "scipy", "torch", "torchvision")
Kinds = Literal["classify", "detect", "segment"]
SOURCES_HELP = "COCO, YOLO, Pascal VOC, or a folder with a folder of images per class."


@dataclass(frozen=True, slots=True)
class SetOptions:
    """Options that name the three sets."""

    test: Annotated[Path, typer.Option(help=f"Real test set; never trained on. {SOURCES_HELP}")]
    train: Annotated[
        Path | None, typer.Option(help="Real training set, in one of the same formats.")
    ] = None
    run: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, help="Run with the synthetic images.")
    ] = None
    synthetic: Annotated[Path | None, typer.Option(help="Exported dataset instead of a run.")] = (
        None
    )
    domains_from: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Field of the test set's images that names their domain.",
            show_default="the folder of an image",
        ),
    ] = None
    task: Annotated[
        Kinds | None, typer.Option(help="What to learn.", show_default="what the labels allow")
    ] = None


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of the trainings."""

    trainer: Annotated[
        str | None,
        typer.Option(
            help="small, fasterrcnn, fcos (detect); small-masks, maskrcnn (segment); "
            "small-classes, resnet18, mobilenet (classify); transformers (detect).",
            show_default="by task and image size",
        ),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start weights: none, torchvision, a file, or a folder for transformers.",
            show_default="torchvision for large models, none for small ones",
        ),
    ] = None
    image_size: Annotated[
        int | None,
        typer.Option(min=32, max=2048, help="Pixels of the shorter side in the model."),
    ] = None
    steps: Annotated[int, typer.Option(min=3, max=10**6, help="Optimizer steps per training.")] = (
        300
    )
    batch_size: Annotated[int, typer.Option(min=1, max=1024, help="Images per step.")] = 8
    seeds: Annotated[int, typer.Option(min=2, max=100, help="Repetitions of each arm.")] = 3
    arm: Annotated[
        list[str] | None,
        typer.Option(help="Train only the arm of this name; may be repeated.", show_default="all"),
    ] = None


@expected_errors(CONTINUES)
@takes(sets=SetOptions, training=TrainingOptions, place=StoreOptions)
def gain(
    *,
    sets: SetOptions,
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    training: TrainingOptions,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Print the plan and its duration, and stop.")
    ] = False,
    as_json: AsJson = False,
    place: StoreOptions,
) -> None:
    """Measure what a dataset is worth: train with and without it, and compare on a real test set.

    Each arm is trained with several seeds from the same start: real images, with augmentation,
    synthetic images, both, and controls. After Ctrl-C the same command continues.

    Example: factory gain --run 1 --train real/train --test real/test --out gain
    """
    _require_libraries()
    _refuse_foreign(out)
    experiment = _prepare(sets, training, place)
    from chatgenimage.factory.gain.experiment import list_trials

    trials = list_trials(experiment, out)
    seconds = _print_plan(experiment, trials)
    if estimate:
        if as_json:
            done = sum(trial.found is not None for trial in trials)
            plan = {"trainings": len(trials), "finished": done, "seconds": round(seconds, 1)}
            print_json({**plan, "notes": experiment.notes})
        return
    result = _run(experiment, trials, out)
    from chatgenimage.factory.gain.report import to_record, write_report
    from chatgenimage.factory.gain.terminal_view import gain_view

    results, page = write_report(result, out)
    if as_json:
        print_json({**to_record(result), "results": results, "page": page})
    else:
        stdout.print(gain_view(result))
        stdout.print(f"{page}\n{results}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gain)


def _require_libraries() -> None:
    if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        raise LibraryMissing(
            f"`factory gain` needs {', '.join(missing)}, which is not installed: "
            "pip install 'chatgenimage-factory[gpu]'"
        )


def _refuse_foreign(out: Path) -> None:
    from chatgenimage.factory.gain.cells import CELLS

    if out.exists() and not out.is_dir():
        raise CannotWrite(f"{out} is a file; name a new folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / CELLS).is_dir():
        raise CannotWrite(f"{out} has other contents, no results; name another folder.")


def _prepare(sets: SetOptions, training: TrainingOptions, place: StoreOptions) -> "Experiment":
    """Return the experiment; everything that can be refused is refused here."""
    from chatgenimage.factory.gain.arms import plan_arms
    from chatgenimage.factory.gain.experiment import Experiment
    from chatgenimage.factory.gain.guards import guard
    from chatgenimage.factory.gain.trainers.registry import make_trainer
    from chatgenimage.factory.gain.values import Task

    wanted = None if sets.task is None else Task(sets.task)
    read = _read_sets(sets, place)
    count = len(read.real) + len(read.synthetic) + len(read.test)
    stderr.print(f"Checking {count} images, also for near-duplicates ...")
    task, images = guard(read, wanted)
    names = [arm.name for arm in plan_arms(images.real, images.synthetic)]
    chosen = tuple(check_name("arm", name, names) for name in training.arm or ())
    every = (*images.real, *images.synthetic, *images.test)
    longest_px = max(max(image.size_wh) for image in every)
    trainer = make_trainer(
        task, longest_px, training.trainer, training.weights, training.image_size
    )
    return Experiment(
        trainer,
        images.real,
        images.synthetic,
        images.test,
        images.classes,
        seeds=tuple(range(training.seeds)),
        steps=training.steps,
        batch_size=training.batch_size,
        arm_names=chosen,
        notes=images.notes,
    )


def _read_sets(sets: SetOptions, place: StoreOptions) -> "ImageSets":
    from chatgenimage.factory.gain.readers.reading import Role, read_images
    from chatgenimage.factory.gain.sets import ImageSets

    if (sets.run is None) == (sets.synthetic is None):
        raise SettingsError(
            "name the synthetic images with either --run NUMBER or --synthetic FOLDER."
        )
    test = read_images(sets.test, Role.TEST, sets.domains_from)
    real = [] if sets.train is None else read_images(sets.train, Role.TRAIN)
    synthetic, notes = _read_synthetic(sets, place)
    return ImageSets(tuple(real), tuple(synthetic), tuple(test), notes=tuple(notes))


def _read_synthetic(
    sets: SetOptions, place: StoreOptions
) -> "tuple[list[LabelledImage], list[str]]":
    """Return the synthetic images, and notes about their run."""
    from chatgenimage.factory.gain.readers.reading import Role, read_images
    from chatgenimage.factory.gain.run_images import note_run, read_run

    if sets.synthetic is not None:
        return read_images(sets.synthetic, Role.SYNTHETIC), []
    assert sets.run is not None  # noqa: S101  # `_read_sets` checks it
    store = place.open_chosen_store()
    return read_run(store, sets.run), note_run(store, sets.run)


def _print_plan(experiment: "Experiment", trials: "Sequence[Trial]") -> float:
    """Print what will be trained and how long it takes; return the seconds."""
    from chatgenimage.factory.gain.experiment import estimate_s
    from chatgenimage.factory.progress.live_view import format_duration

    for note in experiment.notes:
        stderr.print(f"Note: {note}", soft_wrap=True)
    images = f"{len(experiment.real)} real, {len(experiment.synthetic)} synthetic, "
    images += f"{counted(len(experiment.test), 'test image')}; "
    images += counted(len(experiment.classes), "class", "classes")
    done = sum(trial.found is not None for trial in trials)
    kept = f", {done} of them finished before" if done else ""
    stderr.print(
        f"{images}; to {experiment.trainer.task} with {experiment.trainer.name}: "
        f"{counted(len(trials), 'training')} of {counted(experiment.steps, 'step')}{kept}. "
        "Measuring the speed ...",
        soft_wrap=True,
    )
    seconds = estimate_s(experiment, trials)
    stderr.print(f"About {format_duration(seconds)}.")
    return seconds


def _run(experiment: "Experiment", trials: "Sequence[Trial]", out: Path) -> "GainResult":
    """Train what is missing; Ctrl-C ends the command and says how to continue."""
    from chatgenimage.factory.gain.experiment import run_experiment
    from chatgenimage.factory.gain.terminal_view import ProgressWatch

    with ProgressWatch(stderr, trials, experiment.steps) as watch:
        try:
            return run_experiment(experiment, out, watch, trials)
        except KeyboardInterrupt:
            end_stopped(
                f"{watch.done} of {len(trials)} trainings are finished and kept. The same command "
                "continues."
            )
