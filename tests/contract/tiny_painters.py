"""Tiny random checkpoints of today's painters, in their published layouts, by pipeline class."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    SCMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLInpaintPipeline,
)

from tests.contract import tiny_networks as networks
from tests.contract import tiny_parts as parts
from tests.contract.tiny_stable_diffusion import (
    save_instruct_pix2pix,
    save_stable_diffusion,
    save_stable_diffusion_xl,
)

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "StableDiffusion3Pipeline": networks.stable_diffusion_3,
    "FluxPipeline": networks.flux,
    "FluxKontextPipeline": networks.flux,
    "FluxFillPipeline": networks.flux_fill,
    "Flux2Pipeline": networks.flux_2,
    "Flux2KleinPipeline": networks.flux_2_klein,
    "QwenImagePipeline": networks.qwen_image,
    "QwenImageEditPipeline": networks.qwen_image_edit,
    "QwenImageEditPlusPipeline": networks.qwen_image_edit,
    "LongCatImagePipeline": networks.longcat,
    "LongCatImageEditPipeline": networks.longcat,
    "ZImagePipeline": networks.z_image,
    "SanaPipeline": networks.sana,
    "SanaSprintPipeline": networks.sana_sprint,
    "ChromaPipeline": networks.chroma,
    "Lumina2Pipeline": networks.lumina_2,
    "PixArtSigmaPipeline": networks.pixart,
    "AuraFlowPipeline": networks.aura_flow,
}
"""Makes the parts of a pipeline, by the name of its class."""
SCHEDULERS: dict[str, Callable[[], Any]] = {
    "PixArtSigmaPipeline": DPMSolverMultistepScheduler,
    "SanaSprintPipeline": SCMScheduler,
}
"""Schedulers of the classes that were not trained by flow matching."""
OLDER: dict[str, Callable[[Path], None]] = {
    "StableDiffusionPipeline": save_stable_diffusion,
    "StableDiffusionXLPipeline": save_stable_diffusion_xl,
    "StableDiffusionInstructPix2PixPipeline": save_instruct_pix2pix,
    "StableDiffusionInpaintPipeline": partial(
        save_stable_diffusion, kind=StableDiffusionInpaintPipeline, unet_channels=9
    ),
    "StableDiffusionXLInpaintPipeline": partial(
        save_stable_diffusion_xl, kind=StableDiffusionXLInpaintPipeline, unet_channels=9
    ),
}
"""Writes a checkpoint with CLIP's text encoder; the inpainting ones see mask and image."""


def save_painter(name: str, folder: Path, **options: object) -> None:
    """Write a checkpoint of a pipeline class; options are those of `save_pretrained`."""
    torch.manual_seed(0)
    if name in OLDER:
        OLDER[name](folder)
        return
    scheduler = SCHEDULERS.get(name, parts.flow)()
    getattr(diffusers, name)(**PARTS[name](), scheduler=scheduler).save_pretrained(
        folder, **options
    )
