"""Similarity family that computes nothing; `families.py` also runs with earlier versions."""

from collections.abc import Sequence

import numpy as np

from benchmarks.device.families import Device, SleepingFamily
from chatgenimage.workers.values import (
    Embeddings,
    LogitScale,
    RgbImage,
)

DIMENSIONS = 64


class SleepingScorer(SleepingFamily):
    """Embeds every image and every text as the same vector."""

    logit_scale = LogitScale(100.0)

    def __init__(self, device: Device) -> None:
        super().__init__("scorer", device)

    def embed_images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Return a vector per image; the whole pass is slept here."""
        self._device.compute(len(images))
        return _ones(len(images))

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return a vector per text."""
        return _ones(len(texts))


def _ones(count: int) -> Embeddings:
    return np.full((count, DIMENSIONS), DIMENSIONS**-0.5, np.float32)
