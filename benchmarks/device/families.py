"""Families that sleep as long as a device would compute, and note when they did."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatgenimage.workers.values import (
    BoxXyxy,
    Detection,
    Mask,
    ModelIdentity,
    RgbImage,
)

PICTURES = 4
"""Different pictures; every image that is painted is one of them, and its file is unique."""
BUSY_FILE = "busy.jsonl"
PLACES = ((0.02, 0.02, 0.5, 0.5), (0.58, 0.58, 0.82, 0.82))
"""Boxes of the objects that are found in every image, as shares of its sides."""


class Device:
    """A device that takes a time per image and no processor; notes each pass in a file."""

    def __init__(self, image_s: float, path: Path) -> None:
        self._image_s = image_s
        self._path = path

    def compute(self, images: int) -> None:
        """Sleep for a pass; note its start, its end, and the process's processor time before it."""
        started, used_s = time.time(), time.process_time()
        time.sleep(images * self._image_s)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps([started, time.time(), used_s])}\n")


class SleepingFamily:
    """Base of the families here: a name, and a device that sleeps."""

    def __init__(self, name: str, device: Device) -> None:
        self.identity = ModelIdentity(name, "benchmark", "1")
        self._device = device


class SleepingPainter(SleepingFamily):
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

    def fill(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> list[RgbImage]:
        """Return a picture per image; the masks are not looked at."""
        del mask_images
        return self.edit(images, prompts, seeds)


class SleepingLabeller(SleepingFamily):
    """Finds the first two names in every image, always in the same places."""

    def __init__(self, device: Device) -> None:
        super().__init__("labeller", device)
        self._captions = 0

    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return a caption per image, each once; the whole pass is slept here."""
        self._device.compute(len(images))
        self._captions += len(images)
        return [f"a dog, picture {self._captions - number}" for number in range(len(images))]

    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return an object for each name that has a place."""
        return [
            [
                Detection(name, 0.9, _scaled(place, image))
                for name, place in zip(names, PLACES, strict=False)
            ]
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


def _scaled(place: Sequence[float], image: RgbImage) -> BoxXyxy:
    """Return a box in pixels of an image."""
    height, width = image.shape[:2]
    x_min, y_min, x_max, y_max = place
    return x_min * width, y_min * height, x_max * width, y_max * height


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
