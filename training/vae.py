"""Training of the autoencoder that both diffusion pipelines share."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from training.dataset import Dataset, train_set
from training.export import exporting, to_half
from training.loop import Plan, Trainer
from training.places import STATES

NAME = "vae"
FOLDER = STATES / NAME
WEIGHTS = "export"
BATCH = 4
KL_WEIGHT = 5e-7
PYRAMID_LEVELS = 3


def build_model() -> AutoencoderKL:
    """Return the untrained autoencoder: 64x64 pixels to 16x16 latents of 4 channels."""
    return AutoencoderKL(
        block_out_channels=(32, 64, 96),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=64,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    ).to(memory_format=torch.channels_last)


def to_model(pictures: np.ndarray) -> Tensor:
    """Return (B, 3, H, W) in [-1, 1] from (B, H, W, 3) uint8."""
    images = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    return (images / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def to_pictures(images: Tensor) -> np.ndarray:
    """Return (B, H, W, 3) uint8 from (B, 3, H, W) in [-1, 1]."""
    scaled = ((images.float() + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).numpy()


def pyramid_l1(first: Tensor, second: Tensor) -> Tensor:
    """Return the L1 distance, averaged over a pyramid of half sizes."""
    total = (first - second).abs().mean()
    for _ in range(PYRAMID_LEVELS - 1):
        first, second = functional.avg_pool2d(first, 2), functional.avg_pool2d(second, 2)
        total = total + (first - second).abs().mean()
    return total


class AutoencoderTrainer:
    """Draws images and computes the losses."""

    def __init__(self, model: AutoencoderKL, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset
        self._rng = np.random.default_rng()
        self._round_trip = torch.compile(self._encode_and_decode)

    def losses(self, _step: int) -> dict[str, Tensor]:
        """Return reconstruction and KL loss of a random batch."""
        rows = np.sort(self._rng.choice(len(self._dataset), BATCH, replace=False))
        source = self._dataset.edited if self._rng.random() < 0.5 else self._dataset.images
        images = to_model(source[rows])
        with torch.autocast("cpu", torch.bfloat16):
            painted, kl = self._round_trip(images)
        difference = painted.float() - images
        return {
            "l1": pyramid_l1(painted.float(), images),
            "l2": 2 * difference.square().mean(),
            "kl": KL_WEIGHT * kl,
        }

    def _encode_and_decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self._model.encode(images).latent_dist
        return self._model.decode(posterior.sample()).sample, posterior.kl().mean()


@torch.no_grad()
def encode(model: AutoencoderKL, pictures: np.ndarray) -> Tensor:
    """Return (B, 4, 16, 16) posterior means, not scaled."""
    with torch.autocast("cpu", torch.bfloat16):
        return model.encode(to_model(pictures)).latent_dist.mean.float()


@torch.no_grad()
def decode(model: AutoencoderKL, latents: Tensor) -> np.ndarray:
    """Return (B, 64, 64, 3) uint8 of latents that are not scaled."""
    with torch.autocast("cpu", torch.bfloat16):
        return to_pictures(model.decode(latents).sample)


def psnr(model: AutoencoderKL, pictures: np.ndarray) -> float:
    """Return the mean reconstruction PSNR in dB."""
    back = decode(model, encode(model, pictures)).astype(np.float32)
    error = ((back - pictures) ** 2).mean((1, 2, 3))
    return float((10 * np.log10(255**2 / error)).mean())


def load_model() -> AutoencoderKL:
    """Return the exported autoencoder."""
    model = AutoencoderKL.from_pretrained(FOLDER / WEIGHTS, torch_dtype=torch.float32)
    return model.to(memory_format=torch.channels_last).eval()


def train(minutes: float) -> None:
    """Train, fit the scaling factor and export."""
    model, dataset = build_model(), train_set()
    sample = dataset.images[:512]

    def export() -> None:
        """Fit the scaling factor, write the autoencoder and print its PSNR."""
        scale = 1 / float(encode(model, sample).std())
        model.register_to_config(scaling_factor=scale)
        with exporting(FOLDER / WEIGHTS) as folder:
            to_half(model).save_pretrained(folder)
        print(f"vae: psnr {psnr(model, sample):.2f} dB, scaling factor {scale:.3f}", flush=True)

    trainer = Trainer(Plan(NAME, minutes, lr=1e-3, export_every_minutes=3), model)
    trainer.fit(AutoencoderTrainer(model, dataset).losses, export)
