"""Datasets of rendered scenes on disk: rendered once, shared by all trainers as memory maps."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from training.backgrounds import SIZE_PX
from training.places import DATASETS, SPRITES
from training.world import BACKGROUNDS, LABELS, MAX_OBJECTS, World, WorldScene, load_sprites

TRAIN_SCENES, TRAIN_SEED = 40_000, 1
HELD_OUT_SCENES, HELD_OUT_SEED = 2_000, 2_000_003
NO_OBJECT = -1
BLOCK = 500
PACKED_BYTES = SIZE_PX * SIZE_PX // 8


@dataclass(frozen=True)
class Dataset:
    """N scenes and, for each, the same objects on another background.

    Attributes:
        images: (N, 64, 64, 3) uint8 RGB.
        edited: (N, 64, 64, 3) uint8 RGB, the objects of `images` on `edited_backgrounds`.
        backgrounds: (N,) int8, an index into BACKGROUNDS.
        edited_backgrounds: (N,) int8.
        labels: (N, 3) int8, an index into LABELS from left to right, -1 where there is none.
        boxes_xyxy: (N, 3, 4) float32 pixels.
        packed_masks: (N, 3, 512) uint8, see `masks`.
        is_close_up: (N,) bool.
    """

    images: NDArray[np.uint8]
    edited: NDArray[np.uint8]
    backgrounds: NDArray[np.int8]
    edited_backgrounds: NDArray[np.int8]
    labels: NDArray[np.int8]
    boxes_xyxy: NDArray[np.float32]
    packed_masks: NDArray[np.uint8]
    is_close_up: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def nouns(self, index: int) -> list[str]:
        """Return the labels of a scene from left to right."""
        return [LABELS[label] for label in self.labels[index] if label != NO_OBJECT]

    def background(self, index: int) -> str:
        """Return the name of a scene's background."""
        return BACKGROUNDS[self.backgrounds[index]]

    def edited_background(self, index: int) -> str:
        """Return the background name of a scene's edited version."""
        return BACKGROUNDS[self.edited_backgrounds[index]]

    def masks(self, index: Any) -> NDArray[np.bool_]:
        """Return (..., 3, 64, 64) bool masks of one index or an array of them."""
        bits = np.unpackbits(self.packed_masks[index], axis=-1)
        return bits.reshape(*bits.shape[:-1], SIZE_PX, SIZE_PX).astype(bool)

    def iter_batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        """Return the indices of all scenes in order, `size` at a time."""
        indices = np.arange(len(self))
        return (indices[start : start + size] for start in range(0, len(self), size))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the scenes in `folder` as read-only memory maps."""
        return cls(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _COLUMNS})


_COLUMNS: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
    "images": ((SIZE_PX, SIZE_PX, 3), np.uint8),
    "edited": ((SIZE_PX, SIZE_PX, 3), np.uint8),
    "backgrounds": ((), np.int8),
    "edited_backgrounds": ((), np.int8),
    "labels": ((MAX_OBJECTS,), np.int8),
    "boxes_xyxy": ((MAX_OBJECTS, 4), np.float32),
    "packed_masks": ((MAX_OBJECTS, PACKED_BYTES), np.uint8),
    "is_close_up": ((), np.bool_),
}
"""Row shape and type of each array of a Dataset."""


def train_set() -> Dataset:
    """Return the training scenes, rendered on first use."""
    return _load_or_render("train", TRAIN_SCENES, TRAIN_SEED)


def held_out_set() -> Dataset:
    """Return the scenes that no model is trained or tuned on."""
    return _load_or_render("held_out", HELD_OUT_SCENES, HELD_OUT_SEED)


def _load_or_render(name: str, count: int, seed: int) -> Dataset:
    folder = DATASETS / f"{name}-{len(LABELS)}-labels-{count}-{seed}"
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        partial.mkdir(parents=True)
        _render_in_parallel(count, seed, partial)
        partial.rename(folder)
    return Dataset.load(folder)


def _render_in_parallel(count: int, seed: int, folder: Path) -> None:
    """Render on all cores; each scene depends only on the seed and its number."""
    world = World(load_sprites(SPRITES))
    create_columns(count, folder)
    cuts = range(0, count, BLOCK)
    with ProcessPoolExecutor() as pool:
        parts = [pool.submit(render_rows, world, seed, folder, cut, cut + BLOCK) for cut in cuts]
    for part in parts:
        part.result()


def create_columns(count: int, folder: Path) -> None:
    """Create the empty arrays of `count` pairs in `folder`."""
    for name, (shape, dtype) in _COLUMNS.items():
        path = folder / f"{name}.npy"
        np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(count, *shape)).flush()


def render_rows(world: World, seed: int, folder: Path, start: int, stop: int) -> None:
    """Render the pairs from `start` up to `stop` into the arrays in `folder`."""
    columns = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in _COLUMNS}
    for index in range(start, min(stop, len(columns["images"]))):
        before, after = world.pair(np.random.default_rng((seed, index)))
        _write_row(columns, index, before, after)


def _write_row(
    columns: dict[str, NDArray[Any]], index: int, before: WorldScene, after: WorldScene
) -> None:
    columns["images"][index], columns["edited"][index] = before.image, after.image
    columns["backgrounds"][index] = BACKGROUNDS.index(before.background)
    columns["edited_backgrounds"][index] = BACKGROUNDS.index(after.background)
    columns["is_close_up"][index] = before.is_close_up
    columns["labels"][index] = NO_OBJECT
    for slot, placed in enumerate(before.objects):
        columns["labels"][index, slot] = LABELS.index(placed.label)
        columns["boxes_xyxy"][index, slot] = placed.box_xyxy
        columns["packed_masks"][index, slot] = np.packbits(placed.mask)
