"""Random networks, saved in the published layouts, so that the factory loads them as its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from open_clip import CLIP
from safetensors.torch import save_file
from segment_anything import sam_model_registry
from transformers import AutoTokenizer

from benchmarks.gpu.sizes import Settings, Sizes
from chatgenimage.workers import sam
from chatgenimage.workers.weights.local_files import BUNDLED_FOLDER

MICRO = BUNDLED_FOLDER / "micro"
OUTPUT_GAIN = 3.0
"""Brings the last layer of a fresh UNet to about unit variance, as that of predicted noise is."""
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes networks on a device, where random numbers are quick to come by."""

    sizes: Sizes
    device: str

    def make(self, kind: Callable[..., Any], *values: Any, **named: Any) -> Any:  # noqa: ANN401
        """Return a network with random weights in float16."""
        with torch.device(self.device):
            network = kind(*values, **named)
        return network.to(self.dtype).eval()

    @property
    def dtype(self) -> torch.dtype:
        """Return the precision that the files have."""
        return torch.float32 if self.device == "cpu" else torch.float16

    def unet(self, settings: Settings, **changed: object) -> Any:  # noqa: ANN401 (a network)
        """Return a denoiser."""
        unet = self.make(diffusers.UNet2DConditionModel, **settings, **changed)
        with torch.no_grad():
            unet.conv_out.weight.mul_(OUTPUT_GAIN)
        return unet

    def encoder(self, settings: Settings, tokenizer: Any, kind: str = "CLIPTextModel") -> Any:  # noqa: ANN401
        """Return a text encoder for the words of `tokenizer`."""
        ids = {
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        config = transformers.CLIPTextConfig(**settings, **ids)
        return self.make(getattr(transformers, kind), config)


def save_sd15(maker: Maker, folder: Path) -> None:
    """Like stable-diffusion-v1-5."""
    scheduler = diffusers.PNDMScheduler(**SCHEDULE, skip_prk_steps=True, steps_offset=1)
    unet = maker.unet(maker.sizes.unet)
    _save_1(maker, folder, diffusers.StableDiffusionPipeline, unet, scheduler)


def save_ip2p(maker: Maker, folder: Path) -> None:
    """Like timbrooks/instruct-pix2pix."""
    scheduler = diffusers.EulerAncestralDiscreteScheduler(**SCHEDULE, steps_offset=1)
    unet = maker.unet({**maker.sizes.unet, "in_channels": 8})
    kind = diffusers.StableDiffusionInstructPix2PixPipeline
    _save_1(maker, folder, kind, unet, scheduler)


def _save_1(maker: Maker, folder: Path, kind: Any, unet: Any, scheduler: Any) -> None:  # noqa: ANN401
    tokenizer = _clip_tokenizer()
    kind(
        vae=maker.make(diffusers.AutoencoderKL, **maker.sizes.vae),
        text_encoder=maker.encoder(maker.sizes.clip_l, tokenizer),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def save_sdxl(maker: Maker, folder: Path) -> None:
    """Like stabilityai/stable-diffusion-xl-base-1.0."""
    tokenizer, sizes = _clip_tokenizer(), maker.sizes
    second = maker.encoder(sizes.clip_g, tokenizer, "CLIPTextModelWithProjection")
    diffusers.StableDiffusionXLPipeline(
        vae=maker.make(diffusers.AutoencoderKL, **sizes.vae_xl),
        text_encoder=maker.encoder(sizes.clip_l, tokenizer),
        text_encoder_2=second,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=maker.unet(sizes.unet_xl),
        scheduler=diffusers.EulerDiscreteScheduler(**SCHEDULE, steps_offset=1),
        add_watermarker=False,
    ).save_pretrained(folder)


def save_blip2(maker: Maker, folder: Path) -> None:
    """Like Salesforce/blip2-opt-2.7b."""
    sizes = maker.sizes.blip2
    tokenizer = AutoTokenizer.from_pretrained(MICRO / "blip2")
    side_px = sizes["vision"]["image_size"]
    images = transformers.BlipImageProcessor(size={"height": side_px, "width": side_px})
    words = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = transformers.Blip2Config(
        vision_config=sizes["vision"] | {"initializer_range": 0.02},
        qformer_config=dict(sizes["qformer"]),
        text_config=sizes["text"] | words | {"model_type": "opt"},
        num_query_tokens=sizes["query_tokens"],
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    network = maker.make(transformers.Blip2ForConditionalGeneration, config)
    network.save_pretrained(folder)
    processor = transformers.Blip2Processor(
        images, tokenizer, num_query_tokens=sizes["query_tokens"]
    )
    processor.save_pretrained(folder)


def save_dino_tiny(maker: Maker, folder: Path) -> None:
    """Like IDEA-Research/grounding-dino-tiny."""
    _save_dino(maker, folder, maker.sizes.swin_t)


def save_dino_base(maker: Maker, folder: Path) -> None:
    """Like IDEA-Research/grounding-dino-base."""
    _save_dino(maker, folder, maker.sizes.swin_b)


def _save_dino(maker: Maker, folder: Path, swin: Settings) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MICRO / "grounding_dino")
    images = transformers.GroundingDinoImageProcessor(size=dict(maker.sizes.dino_edges))
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(**swin),
        text_config=transformers.BertConfig(**maker.sizes.bert),
        **maker.sizes.dino,
    )
    maker.make(transformers.GroundingDinoForObjectDetection, config).save_pretrained(folder)
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


def save_sam(maker: Maker, folder: Path) -> None:
    """Like Meta's sam_vit_h_4b8939.pth, or a folder for another size; in float32 as published."""
    folder.mkdir()
    settings = maker.sizes.sam
    with torch.device(maker.device):
        network = (
            sam_model_registry["vit_h"]() if settings is None else sam.build_sam(dict(settings))
        )
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    if settings is None:
        torch.save(state, folder / "sam_vit_h.pth")
        return
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    save_file(state, folder / "model.safetensors")


def save_clip(maker: Maker, folder: Path) -> None:
    """Like laion/CLIP-ViT-B-32-laion2B-s34B-b79K, with CLIP's own vocabulary."""
    folder.mkdir()
    config = {
        "model_cfg": dict(maker.sizes.vit),
        "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    network = maker.make(CLIP, **maker.sizes.vit)
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")


def _clip_tokenizer() -> Any:  # noqa: ANN401 (a tokenizer)
    return AutoTokenizer.from_pretrained(
        MICRO / "stable_diffusion" / "tokenizer", model_max_length=77
    )


SAVE: dict[str, Callable[[Maker, Path], None]] = {
    "sd15": save_sd15,
    "sdxl": save_sdxl,
    "ip2p": save_ip2p,
    "blip2": save_blip2,
    "dino_base": save_dino_base,
    "dino_tiny": save_dino_tiny,
    "sam": save_sam,
    "clip": save_clip,
}
"""How each network is made, by its short name."""
