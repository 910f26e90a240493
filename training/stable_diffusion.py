"""Training of Stable Diffusion's UNet and text encoder on cached latents and the captions."""

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

from training import vae
from training.dataset import Dataset, train_set
from training.export import exporting, to_half
from training.latents import Latents
from training.loop import Plan, Trainer
from training.places import CHECKPOINTS
from training.tokenizers import clip_tokenizer
from training.words import write_caption
from training.world import LABELS

NAME = "stable_diffusion"
BATCH = 32
EMPTY_PROMPT_SHARE = 0.1
OBJECT_WEIGHT = 2.0
"""Loss weight of objects: a sixth of the image, but most of the prompt's content."""
HARD_WORDS = ("dog", "owl", "car", "rocket", "helicopter", "cactus")
"""Labels that were most often missing in samples half-way; their scenes are drawn more often."""
HARD_SHARE = 2.0
"""How often such a scene is drawn, relative to others."""
TEXT_WIDTH = 128
TRAIN_TIMESTEPS = 1000


def build_unet(in_channels: int = 4) -> UNet2DConditionModel:
    """Return the untrained UNet over 16x16 latents."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(64, 128, 112),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    ).to(memory_format=torch.channels_last)


def build_text_encoder() -> CLIPTextModel:
    """Return the untrained text encoder."""
    tokenizer = clip_tokenizer()
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule: v-prediction down to pure noise (Lin et al. 2024)."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def as_module(unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> nn.ModuleDict:
    """Return both as one module to train and average."""
    return nn.ModuleDict({"unet": unet, "text_encoder": text_encoder})


def draw_timesteps(count: int) -> Tensor:
    """Return timesteps, half of them uniform, half around the middle, where shapes are decided."""
    even = (torch.arange(count) + torch.rand(count)) / count
    middle = torch.sigmoid(torch.randn(count) * 0.8 - 0.2)
    shares = torch.where(torch.arange(count) % 2 == 0, even, middle)
    return (shares * TRAIN_TIMESTEPS).long()


class Denoising:
    """The common part of both diffusion trainings: tokens, noising, the v-prediction loss."""

    def __init__(self, models: nn.ModuleDict) -> None:
        self._unet, self._text_encoder = models["unet"], models["text_encoder"]
        self._tokenizer = clip_tokenizer()
        self._scheduler = build_scheduler()
        self._predict = torch.compile(self._unet)

    def loss(
        self,
        latents: Tensor,
        prompts: Sequence[str],
        objects: Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return the mean squared error of the predicted velocity.

        Args:
            latents: (B, 4, 16, 16) scaled latents.
            prompts: One per image; empty ones train the unconditional half of guidance.
            objects: (B, 1, 16, 16) share of each cell that an object covers.
            condition: (B, 4, 16, 16) latents of the image to edit, not scaled, or None.
        """
        count = len(latents)
        timesteps = draw_timesteps(count)
        noise = torch.randn_like(latents)
        noisy = self._scheduler.add_noise(latents, noise, timesteps)
        velocity = self._scheduler.get_velocity(latents, noise, timesteps)
        given = noisy if condition is None else torch.cat([noisy, condition], 1)
        given = given.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = self._velocity(given, timesteps, self._tokens(prompts))
        weight = 1 + OBJECT_WEIGHT * objects
        return (weight * (predicted.float() - velocity).square()).mean() / weight.mean()

    def _tokens(self, prompts: Sequence[str]) -> Tensor:
        return self._tokenizer(
            list(prompts), padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids

    def _velocity(self, given: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        text = self._text_encoder(tokens).last_hidden_state
        return self._predict(given, timesteps, text).sample


def object_cells(dataset: Dataset, rows: NDArray[np.int64]) -> Tensor:
    """Return (B, 1, 16, 16): the share of each latent cell that an object covers."""
    masks = torch.from_numpy(dataset.masks(rows).any(1))
    return functional.avg_pool2d(masks[:, None].float(), 4)


class DiffusionTrainer:
    """Draws latents and captions."""

    def __init__(self, models: nn.ModuleDict, dataset: Dataset) -> None:
        self._dataset = dataset
        self._denoising = Denoising(models)
        self._latents = Latents()
        self._rng = np.random.default_rng()
        hard = np.isin(dataset.labels, [LABELS.index(word) for word in HARD_WORDS]).any(1)
        self._shares = np.where(hard, HARD_SHARE, 1.0)

    def losses(self, _step: int) -> dict[str, Tensor]:
        """Return the loss of a random batch."""
        shares = self._shares[: self._latents.count_ready()]
        rows = self._rng.choice(len(shares), BATCH, p=shares / shares.sum())
        twins = self._rng.integers(0, 2, BATCH)
        prompts = [self._prompt(int(r), int(t)) for r, t in zip(rows, twins, strict=True)]
        latents = self._latents.get(rows, twins)
        objects = object_cells(self._dataset, rows)
        return {"velocity": self._denoising.loss(latents, prompts, objects)}

    def _prompt(self, index: int, twin: int) -> str:
        if self._rng.random() < EMPTY_PROMPT_SHARE:
            return ""
        background = (
            self._dataset.edited_background(index) if twin else self._dataset.background(index)
        )
        close_up = bool(self._dataset.is_close_up[index])
        nouns = self._dataset.nouns(index)
        return write_caption(self._rng, nouns, background, is_close_up=close_up)


def pipeline(
    models: nn.ModuleDict, kind: type[DiffusionPipeline] = StableDiffusionPipeline
) -> DiffusionPipeline:
    """Return a pipeline with `models`, of a class with the parts of Stable Diffusion's."""
    return kind(
        vae=vae.load_model(),
        text_encoder=models["text_encoder"],
        tokenizer=clip_tokenizer(),
        unet=models["unet"],
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def train(minutes: float) -> None:
    """Train and export the pipeline."""
    models = as_module(build_unet(), build_text_encoder())
    work = DiffusionTrainer(models, train_set())

    def export() -> None:
        """Write the pipeline with half precision."""
        with exporting(CHECKPOINTS / NAME) as folder:
            pipeline(to_half(models)).to(torch.float16).save_pretrained(folder)

    Trainer(Plan(NAME, minutes, lr=1e-3, ema_decay=0.999), models).fit(work.losses, export)
