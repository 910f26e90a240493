"""Registry of the trainers by name, and the default for a task and an image size."""

from pathlib import Path

from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.gain.interfaces import Trainer
from chatgenimage.factory.gain.trainers.class_trainer import CLASS_MODELS, ClassTrainer
from chatgenimage.factory.gain.trainers.object_trainer import OBJECT_MODELS, ObjectTrainer
from chatgenimage.factory.gain.trainers.transformers_trainer import TransformersTrainer
from chatgenimage.factory.gain.trainers.weights import NONE, TORCHVISION, identify_weights
from chatgenimage.factory.gain.values import Task
from chatgenimage.factory.query.filters import check_name

SMALL_PX = 128
"""Images up to this size are for the small models, which need no weights."""
TRANSFORMERS = "transformers"
SMALL = {Task.CLASSIFY: "small-classes", Task.DETECT: "small", Task.SEGMENT: "small-masks"}
LARGE = {Task.CLASSIFY: "resnet18", Task.DETECT: "fasterrcnn", Task.SEGMENT: "maskrcnn"}
NAMES = (*OBJECT_MODELS, *CLASS_MODELS, TRANSFORMERS)


def make_trainer(
    task: Task,
    image_px: int,
    name: str | None = None,
    weights: str | None = None,
    size_px: int | None = None,
) -> Trainer:
    """Return a trainer.

    Args:
        task: What it must learn.
        image_px: Longest side of the images, in pixels; decides the default.
        name: One of `NAMES`; None: small models for small images.
        weights: `none`, `torchvision`, a file, or for `transformers` a folder. None: torchvision's
            own for large models, none for small ones.
        size_px: Shorter side to which images are resized; None: the model's own.

    Raises:
        UnknownName: If there is no such trainer.
        SettingsError: If it learns another task, or the weights do not exist or do not fit it.
    """
    default = (SMALL if image_px <= SMALL_PX else LARGE)[task]
    chosen = check_name("trainer", name or default, NAMES)
    if chosen == TRANSFORMERS:
        trainer: Trainer = TransformersTrainer(_folder_of(weights))
    else:
        known = OBJECT_MODELS.get(chosen) or CLASS_MODELS[chosen]
        start = weights or (TORCHVISION if known.published else NONE)
        if start == TORCHVISION and not known.published:
            raise SettingsError(
                f"--weights {TORCHVISION}: torchvision has none for the trainer {chosen}; "
                f"use --weights {NONE} or a file."
            )
        identify_weights(start)
        kind = ObjectTrainer if chosen in OBJECT_MODELS else ClassTrainer
        trainer = kind(chosen, start, size_px)
    if trainer.task is not task:
        raise SettingsError(
            f"--trainer {chosen} learns to {trainer.task}, but the labels are for {task}; "
            f"choose {SMALL[task]} or {LARGE[task]}, or another --task."
        )
    return trainer


def _folder_of(weights: str | None) -> Path:
    folder = Path(weights or "")
    if weights is None or not folder.is_dir():
        raise SettingsError(
            f"--trainer {TRANSFORMERS} needs --weights FOLDER, the folder of a detector such as "
            f"RT-DETR or D-FINE; found {'no folder' if weights is None else weights}."
        )
    return folder
