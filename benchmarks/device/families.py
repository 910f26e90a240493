"""Families that sleep as long as a device would compute, and note when they did."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatgenimage.workers.values import Detection, Mask, ModelIdentity, RgbImage

PICTURES = 4
"""Different pictures; every image that is painted is one of them, and its file is unique."""
BUSY_FILE = "busy.jsonl"


class Device:
    """A device that takes a time per image and no processor; notes each pass in a file."""

    def __init__(self, image_s: float, path: Path) -> None:
        self._image_s = image_s
        self._path = path

    def compute(self, images: int) -> None:
        """Sleep for a pass."""
        started = time.time()
        time.sleep(images * self._image_s)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps([started, time.time()])}\n")


class _Family:
    def __init__(self, name: str, device: Device) -> None:
        self.identity = ModelIdentity(name, "benchmark", "1")
        self._device = device


class SleepingPainter(_Family):
    """Returns pictures for prompts, and for images to edit."""

    def __init__(self, device: Device, side_px: int) -> None:
        super().__init__("stable_diffusion", device)
        self._pictures = [picture(side_px, seed) for seed in range(PICTURES)]

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[RgbImage]:
        """Return a picture per prompt."""
        self._device.compute(len(prompts))
        return [self._pictures[seed % PICTURES] for seed in seeds]

    def edit(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return a picture per image."""
        del images
        return self.generate(instructions, seeds)


class SleepingLabeller(_Family):
    """Finds one object in every image, always in the same place."""

    def __init__(self, device: Device) -> None:
        super().__init__("labeller", device)

    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return a caption per image; the whole pass is slept here."""
        self._device.compute(len(images))
        return ["a dog"] * len(images)

    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return one object per image."""
        return [
            [Detection(names[0], 0.9, (8.0, 8.0, image.shape[1] / 2, image.shape[0] / 2))]
            for image, names in zip(images, labels, strict=True)
        ]

    def segment(
        self, images: Sequence[RgbImage], boxes_xyxy: Sequence[Sequence[Any]]
    ) -> list[list[Mask]]:
        """Return the boxes as masks."""
        return [
            [whole(box, image.shape[:2]) for box in boxes]
            for image, boxes in zip(images, boxes_xyxy, strict=True)
        ]


def whole(box: Sequence[float], shape_hw: tuple[int, ...]) -> Mask:
    """Return a box as a mask."""
    x_min, y_min, x_max, y_max = (round(side) for side in box)
    mask = np.zeros(shape_hw, np.bool_)
    mask[y_min:y_max, x_min:x_max] = True
    return mask


def picture(side_px: int, seed: int) -> NDArray[np.uint8]:
    """Return noise whose spectrum falls as that of photographs does, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side_px), np.fft.rfftfreq(side_px)))
    falling = 1 / np.maximum(frequency.T, 1 / side_px) ** 1.5
    phases = rng.uniform(0, 2 * np.pi, (3, *falling.shape))
    planes = np.fft.irfft2(falling * np.exp(1j * phases), (side_px, side_px))
    shades = 128 + 50 * planes / planes.std() + rng.normal(0, 1, planes.shape)
    return np.ascontiguousarray(np.moveaxis(shades.clip(0, 255), 0, 2), np.uint8)
