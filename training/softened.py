"""Softened images, like generated ones: blurred, noisy, decoded by the autoencoder, diffused."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from training.dataset import Dataset

ROUND_TRIPS, DIFFUSED = "round_trips.npy", "diffused.npy"
SOFT_SHARE, REPAINTED_SHARE = 0.5, 0.5
FAVOURED_SCENES, FAVOURED_SHARE = 1_500, 0.3
"""The first scenes have repainted versions, and are drawn more often than the rest."""
LOOK_EVERY_STEPS = 200


class Softener:
    """Mixes clean renders with softened ones; uses repainted ones as soon as they exist.

    Args:
        states: The folder in which other stages write `vae/round_trips.npy` and
            `vae/diffused.npy`, (2, R, 64, 64, 3) uint8 each: the first R images, then their
            edited versions.
        favoured_scenes: Number of first scenes that are drawn more often.
    """

    def __init__(self, states: Path, favoured_scenes: int = FAVOURED_SCENES) -> None:
        self._favoured_scenes = favoured_scenes
        self._paths = [states / "vae" / name for name in (ROUND_TRIPS, DIFFUSED)]
        self._repainted: list[NDArray[np.uint8]] = []
        self._rng = np.random.default_rng()

    def draw_rows(self, dataset: Dataset, count: int) -> NDArray[np.int64]:
        """Return `count` different training scenes, in order."""
        favoured = round(count * FAVOURED_SHARE)
        others = self._rng.choice(
            len(dataset) - self._favoured_scenes, count - favoured, replace=False
        )
        first = self._rng.choice(self._favoured_scenes, favoured, replace=False)
        return np.sort(np.concatenate([first, others + self._favoured_scenes]))

    def soften(
        self,
        dataset: Dataset,
        rows: NDArray[np.int64],
        step: int,
        twin: NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """Return (B, 3, 64, 64) float32 in [0, 1] of the given training scenes.

        Args:
            dataset: The training scenes.
            rows: (B,) which of them.
            step: Training step; new repainted scenes are searched for at intervals.
            twin: (B,) bool, True for the edited version; None draws at random.
        """
        if step % LOOK_EVERY_STEPS == 0 or not self._repainted:
            ready = (path for path in self._paths if path.exists())
            self._repainted = [np.load(path, mmap_mode="r") for path in ready]
        if twin is None:
            twin = self._rng.random(len(rows)) < 0.5
        pictures = np.where(twin[:, None, None, None], dataset.edited[rows], dataset.images[rows])
        for repainted in self._repainted:
            soft = self._rng.random(len(rows)) < REPAINTED_SHARE
            soft &= rows < repainted.shape[1]
            pictures[soft] = repainted[twin[soft].astype(int), rows[soft]]
        images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        return self._disturb(images)

    def _disturb(self, images: Tensor) -> Tensor:
        chosen = torch.from_numpy(self._rng.random(len(images)) < SOFT_SHARE)
        if chosen.any():
            sigma = float(self._rng.uniform(0.3, 1.3))
            images[chosen] = gaussian_blur(images[chosen], [5, 5], [sigma, sigma])
        count = len(images)
        noise = torch.randn_like(images) * torch.rand(count, 1, 1, 1) * 0.04
        gain = 1 + 0.08 * torch.randn(count, 3, 1, 1)
        return (images * gain + 0.04 * torch.randn(count, 3, 1, 1) + noise).clamp(0, 1)
