"""Further training of the autoencoder's decoder on cached latents, in parallel with diffusion."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn

from training import vae
from training.dataset import Dataset, train_set
from training.export import exporting, to_half
from training.latents import Latents, write_round_trips
from training.loop import Plan, Trainer
from training.softened import ROUND_TRIPS

NAME = "vae_decoder"
BATCH = 6
NOISE, OBJECT_WEIGHT = 0.05, 2.0
"""Noise of the scaled latents, as diffusion's are not exact; loss weight of object pixels."""


class DecoderTrainer:
    """Draws latents and their images."""

    def __init__(self, model: AutoencoderKL, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset
        self._rng = np.random.default_rng()
        self._latents = Latents()
        self._paint = torch.compile(lambda latents: model.decode(latents).sample)

    def losses(self, _step: int) -> dict[str, Tensor]:
        """Return the reconstruction losses of a random batch."""
        rows = self._rng.integers(0, self._latents.count_ready(), BATCH)
        twin = int(self._rng.integers(2))
        images = vae.to_model((self._dataset.images, self._dataset.edited)[twin][rows])
        latents = self._latents.get(rows, np.full(BATCH, twin))
        latents = latents + torch.randn_like(latents) * NOISE * torch.rand(BATCH, 1, 1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            painted = self._paint(latents / self._model.config.scaling_factor).float()
        weight = 1 + OBJECT_WEIGHT * self._objects(rows)
        difference = weight * (painted - images)
        return {
            "l1": vae.pyramid_l1(painted, images),
            "objects": difference.abs().mean(),
            "l2": 2 * (difference * (painted - images)).mean(),
        }

    def _objects(self, rows: NDArray[np.int64]) -> Tensor:
        """Return (B, 1, 64, 64), 1 on objects: the smaller but more difficult part of the image."""
        masks = self._dataset.masks(rows).any(1)
        return torch.from_numpy(masks)[:, None].float()


def train(minutes: float) -> None:
    """Train the decoder and put it into the exported autoencoder."""
    model = vae.load_model()
    model.encoder.requires_grad_(requires_grad=False)
    model.quant_conv.requires_grad_(requires_grad=False)
    sample = train_set().images[-256:]

    def export() -> None:
        """Write the autoencoder with the decoder of now and print its PSNR."""
        with exporting(vae.FOLDER / vae.WEIGHTS) as folder:
            to_half(model).save_pretrained(folder)
        print(f"vae_decoder: psnr {vae.psnr(model, sample):.2f} dB", flush=True)

    decoder = nn.ModuleList([model.post_quant_conv, model.decoder])
    groups = [{"params": list(decoder.parameters())}]
    plan = Plan(NAME, minutes, lr=1e-3, export_every_minutes=4)
    trainer = Trainer(plan, model, groups)
    trainer.fit(DecoderTrainer(model, train_set()).losses, export)
    if trainer.progress >= 1 and not (vae.FOLDER / ROUND_TRIPS).exists():
        write_round_trips(train_set())
