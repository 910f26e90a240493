"""Images as the generators paint them: blurred, noisy, or through the autoencoder and back."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from training.dataset import Dataset

ROUND_TRIPS = "round_trips.npy"
SOFT_SHARE, ROUND_TRIP_SHARE = 0.5, 0.45
LOOK_EVERY_STEPS = 200


class Softener:
    """Mixes clean renders with softened ones; uses round trips as soon as the VAE wrote some.

    Args:
        states: The folder in which the VAE stage leaves `vae/round_trips.npy`,
            (2, R, 64, 64, 3) uint8: the first R images, then their edited twins.
    """

    def __init__(self, states: Path) -> None:
        self._path = states / "vae" / ROUND_TRIPS
        self._round_trips: NDArray[np.uint8] | None = None
        self._rng = np.random.default_rng()

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
            step: Of the training; round trips are looked for now and then.
            twin: (B,) bool, True for the edited twin; None draws it.
        """
        if step % LOOK_EVERY_STEPS == 0 and self._round_trips is None and self._path.exists():
            self._round_trips = np.load(self._path, mmap_mode="r")
        if twin is None:
            twin = self._rng.random(len(rows)) < 0.5
        pictures = np.where(twin[:, None, None, None], dataset.edited[rows], dataset.images[rows])
        if self._round_trips is not None:
            soft = self._rng.random(len(rows)) < ROUND_TRIP_SHARE
            soft &= rows < self._round_trips.shape[1]
            pictures[soft] = self._round_trips[twin[soft].astype(int), rows[soft]]
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
