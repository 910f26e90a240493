"""Diffused training scenes: repainted by Stable Diffusion from half noise; soft, same positions."""

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from training import vae
from training.dataset import Dataset, train_set
from training.latents import LATENTS
from training.places import CHECKPOINTS
from training.softened import DIFFUSED
from training.words import write_plain_caption

BATCH = 50
SCENES = 1_500
STEPS = 20
STRENGTHS = (0.2, 0.5)
"""Noise strength; with more, the objects change their kind or place."""


def train(_minutes: float) -> None:
    """Repaint the first scenes and their edited versions, for training on softened images."""
    dataset, rng = train_set(), np.random.default_rng(0)
    pipeline = StableDiffusionPipeline.from_pretrained(
        CHECKPOINTS / "stable_diffusion", torch_dtype=torch.float32
    )
    latents = np.load(vae.FOLDER / LATENTS, mmap_mode="r")
    pictures = np.empty((2, SCENES, 64, 64, 3), np.uint8)
    for twin in (0, 1):
        for rows in np.split(np.arange(SCENES), range(BATCH, SCENES, BATCH)):
            captions = [_caption(dataset, int(row), twin) for row in rows]
            painted = repaint(
                pipeline,
                torch.from_numpy(latents[twin, rows]).float(),
                captions,
                float(rng.uniform(*STRENGTHS)),
            )
            pictures[twin, rows] = vae.decode(
                pipeline.vae, painted / pipeline.vae.config.scaling_factor
            )
    partial = vae.FOLDER / f"partial-{DIFFUSED}"
    np.save(partial, pictures)
    partial.rename(vae.FOLDER / DIFFUSED)


@torch.no_grad()
def repaint(
    pipeline: StableDiffusionPipeline, latents: Tensor, captions: list[str], strength: float
) -> Tensor:
    """Return the scaled latents (B, 4, 16, 16), noised with `strength` and denoised again."""
    tokens = pipeline.tokenizer(captions, padding="max_length", return_tensors="pt").input_ids
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(STEPS)
    timesteps = scheduler.timesteps[round(STEPS * (1 - strength)) :]
    noisy = scheduler.add_noise(latents, torch.randn_like(latents), timesteps[:1])
    with torch.autocast("cpu", torch.bfloat16):
        text = pipeline.text_encoder(tokens).last_hidden_state
        for timestep in timesteps:
            velocity = pipeline.unet(noisy, timestep, text).sample.float()
            noisy = scheduler.step(velocity, timestep, noisy).prev_sample
    return noisy


def _caption(dataset: Dataset, row: int, twin: int) -> str:
    background = dataset.edited_background(row) if twin else dataset.background(row)
    return write_plain_caption(dataset.nouns(row), background)
