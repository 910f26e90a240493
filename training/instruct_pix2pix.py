"""Training of InstructPix2Pix to change backgrounds, starting from Stable Diffusion's weights."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import (
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn

from training import vae
from training.dataset import Dataset, train_set
from training.export import exporting, to_half
from training.latents import Latents
from training.loop import Plan, Trainer
from training.places import CHECKPOINTS
from training.stable_diffusion import NAME as BASE
from training.stable_diffusion import (
    Denoising,
    as_module,
    build_unet,
    object_cells,
    pipeline,
)
from training.words import write_instruction

if TYPE_CHECKING:
    from transformers import CLIPTextModel

NAME = "instruct_pix2pix"
BATCH = 32
DROPPED_SHARE = 0.05
"""Dropout of the text, of the image, and of both (Brooks et al. 2023, section 3.2.1)."""
CONDITION_NOISE = 0.1


def build_models() -> nn.ModuleDict:
    """Return UNet and text encoder of the exported base; the new input channels are zero."""
    base = StableDiffusionPipeline.from_pretrained(CHECKPOINTS / BASE, torch_dtype=torch.float32)
    text_encoder: CLIPTextModel = base.text_encoder
    return as_module(widen(base.unet), text_encoder)


def widen(base: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return a UNet of eight input channels with the outputs of `base` for the first four."""
    unet = build_unet(in_channels=8)
    state = base.state_dict()
    narrow = state["conv_in.weight"]
    state["conv_in.weight"] = torch.cat([narrow, torch.zeros_like(narrow)], 1)
    unet.load_state_dict(state)
    return unet


class EditTrainer:
    """Draws pairs of latents and instructions, in both directions."""

    def __init__(self, models: nn.ModuleDict, dataset: Dataset) -> None:
        self._dataset = dataset
        self._denoising = Denoising(models)
        self._latents = Latents()
        self._scale = float(vae.load_model().config.scaling_factor)
        self._rng = np.random.default_rng()

    def losses(self, _step: int) -> dict[str, Tensor]:
        """Return the loss of a random batch."""
        rows = self._rng.integers(0, self._latents.count_ready(), BATCH)
        twins = self._rng.integers(0, 2, BATCH)
        before, after = self._latents.get(rows, 1 - twins), self._latents.get(rows, twins)
        prompts = [
            write_instruction(
                self._dataset.edited_background(row) if twin else self._dataset.background(row)
            )
            for row, twin in zip(rows.tolist(), twins.tolist(), strict=True)
        ]
        objects = object_cells(self._dataset, rows)
        fate = self._rng.random(BATCH)
        prompts = [
            "" if chance < 2 * DROPPED_SHARE else prompt
            for chance, prompt in zip(fate, prompts, strict=True)
        ]
        blind = torch.from_numpy((fate >= DROPPED_SHARE) & (fate < 3 * DROPPED_SHARE))
        disturbed = before + CONDITION_NOISE * torch.rand(BATCH, 1, 1, 1) * torch.randn_like(before)
        # The pipeline passes the image's latents unscaled, and zeros for no image.
        condition = (disturbed / self._scale).masked_fill(blind[:, None, None, None], 0)
        return {"velocity": self._denoising.loss(after, prompts, objects, condition)}


def train(minutes: float) -> None:
    """Train and export the pipeline."""
    models = build_models()
    work = EditTrainer(models, train_set())

    def export() -> None:
        """Write the pipeline with half precision."""
        made = pipeline(to_half(models), StableDiffusionInstructPix2PixPipeline)
        with exporting(CHECKPOINTS / NAME) as folder:
            made.to(torch.float16).save_pretrained(folder)

    Trainer(Plan(NAME, minutes, lr=1.2e-3, ema_decay=0.998), models).fit(work.losses, export)
