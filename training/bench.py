"""Test bench of all measurements: the product's models, independent judges, held-out scenes."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from diffusers import AutoencoderKL

from chatgenimage.db.session import upgrade
from chatgenimage.factory.app import assemble
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.tasks.overlaps import one_box_per_object
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers import boxes
from chatgenimage.workers.interfaces import Detector
from chatgenimage.workers.values import BoxXyxy, Detection, RgbImage
from training import vae
from training.dataset import NO_OBJECT, Dataset, held_out_set
from training.judges import BackgroundJudge, ObjectJudge
from training.places import CHECKPOINTS
from training.world import LABELS

Advance: TypeAlias = Callable[[int], None]
"""Callback with the number of images done since the last call."""

LabelledBox: TypeAlias = tuple[str, BoxXyxy]

PROFILE = "micro"
BATCH = 32
SAME_PLACE_IOU = 0.5


@dataclass(frozen=True)
class Bench:
    """The models as in a worker of the micro profile, and the judges of their outputs.

    Attributes:
        settings: The micro profile.
        resources: Families of all roles, an empty database and image store in a scratch folder.
        held_out: Scenes that no model was trained or tuned on.
    """

    settings: Settings
    resources: Resources
    held_out: Dataset

    @cached_property
    def objects(self) -> ObjectJudge:
        """The judge that names the object in a box."""
        return ObjectJudge.load()

    @cached_property
    def backgrounds(self) -> BackgroundJudge:
        """The judge that names the background."""
        return BackgroundJudge()

    @cached_property
    def _autoencoder(self) -> AutoencoderKL:
        folder = CHECKPOINTS / "stable_diffusion/vae"
        return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval()

    def detect(self, images: Sequence[RgbImage]) -> list[list[Detection]]:
        """Return the detections of the label step's detector on each image."""
        chain = self.settings.chain
        found = self.resources.able(Detector).detect(images, [chain.class_list] * len(images))
        return [one_box_per_object(detections, chain) for detections in found]

    @torch.inference_mode()
    def round_trip(self, images: Sequence[RgbImage]) -> list[RgbImage]:
        """Return the images after the autoencoder: as soft as generated ones."""
        latents = self._autoencoder.encode(vae.to_model(np.stack(images))).latent_dist.mode()
        return list(vae.to_pictures(self._autoencoder.decode(latents).sample))

    def truth(self, row: int) -> list[LabelledBox]:
        """Return the objects of a held-out scene."""
        labels, places = self.held_out.labels[row], self.held_out.boxes_xyxy[row].tolist()
        return [
            (LABELS[label], (x_min, y_min, x_max, y_max))
            for label, (x_min, y_min, x_max, y_max) in zip(labels, places, strict=True)
            if label != NO_OBJECT
        ]


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Yield the micro profile's models and a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(PROFILE, data_dir=Path(folder), device="cpu")
        upgrade(settings.resolved_database_url())
        resources = assemble(settings, list(settings.roles), "evaluation")
        yield Bench(settings, resources, held_out_set())


def iter_batches(count: int, advance: Advance) -> Iterator[range]:
    """Yield the numbers from 0 to `count` in batches; report each batch when it is done."""
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        yield numbers
        advance(len(numbers))


def boxes_of(label: str, found: Sequence[Detection]) -> list[BoxXyxy]:
    """Return the boxes that were found for a label."""
    return [detection.box_xyxy for detection in found if detection.label == label]


def is_found_in(asked: LabelledBox, found: Sequence[Detection]) -> bool:
    """Return whether the label was found in the box, at an IoU of at least 0.5."""
    label, box = asked
    return any(boxes.iou(box, other) >= SAME_PLACE_IOU for other in boxes_of(label, found))


def share(hits: Sequence[bool]) -> float:
    """Return the share of hits in [0, 1]."""
    return float(np.mean(hits))
