"""Latents of the training scenes, cached in blocks so that training can start early."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import vae
from training.dataset import Dataset, train_set
from training.softened import ROUND_TRIPS

LATENTS, READY = "latents.npy", "latents_ready.txt"
BLOCK, BATCH = 1000, 50
ENCODED_SCENES, ROUND_TRIP_SCENES = 20_000, 5_000
WAIT_S = 5.0


class Latents:
    """The cached latents: shape (2, N, 4, 16, 16) float16, scaled; the second half is `edited`."""

    def __init__(self) -> None:
        while not (vae.FOLDER / READY).exists():
            time.sleep(WAIT_S)
        self._latents = np.load(vae.FOLDER / LATENTS, mmap_mode="r")
        self._calls, self._ready = 0, 0

    def count_ready(self) -> int:
        """Return the number of scenes encoded so far."""
        if self._calls % 100 == 0:
            self._ready = int((vae.FOLDER / READY).read_text(encoding="utf-8"))
        self._calls += 1
        return self._ready

    def get(self, rows: NDArray[np.int64], twins: NDArray[np.int64]) -> Tensor:
        """Return (B, 4, 16, 16) float32 scaled latents; 0 is the image, 1 its edited version."""
        return torch.from_numpy(self._latents[twins, rows]).float()


def train(_minutes: float) -> None:
    """Encode all scenes that are not encoded yet."""
    model, dataset = vae.load_model(), train_set()
    path, ready_path = vae.FOLDER / LATENTS, vae.FOLDER / READY
    shape = (2, len(dataset), 4, 16, 16)
    ready = int(ready_path.read_text(encoding="utf-8")) if ready_path.exists() else 0
    mode = "r+" if ready else "w+"
    latents = np.lib.format.open_memmap(path, mode=mode, dtype=np.float16, shape=shape)
    wanted = min(ENCODED_SCENES, len(dataset))
    while ready < wanted:
        rows = np.arange(ready, min(ready + BLOCK, wanted))
        for twin, source in enumerate((dataset.images, dataset.edited)):
            for batch in np.split(rows, range(BATCH, len(rows), BATCH)):
                means = vae.encode(model, source[batch])
                latents[twin, batch] = (means * model.config.scaling_factor).numpy()
        latents.flush()
        ready = int(rows[-1]) + 1
        ready_path.write_text(str(ready), encoding="utf-8")
        print(f"latents: {ready}", flush=True)


def write_round_trips(dataset: Dataset) -> None:
    """Decode the first blocks of latents, for training on softened images."""
    model = vae.load_model()
    count = min(ROUND_TRIP_SCENES, len(dataset))
    latents = np.load(vae.FOLDER / LATENTS, mmap_mode="r")
    pictures = np.empty((2, count, 64, 64, 3), np.uint8)
    for twin in (0, 1):
        for batch in np.split(np.arange(count), range(BATCH, count, BATCH)):
            scaled = torch.from_numpy(latents[twin, batch]).float()
            pictures[twin, batch] = vae.decode(model, scaled / model.config.scaling_factor)
    partial = vae.FOLDER / f"partial-{ROUND_TRIPS}"
    np.save(partial, pictures)
    partial.rename(vae.FOLDER / ROUND_TRIPS)
