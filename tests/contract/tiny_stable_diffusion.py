"""Random pipelines of Stable Diffusion and InstructPix2Pix, in the hub's own layouts."""

from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKL,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests.contract.tiny_words import letters

TEXT_WIDTH = 16
XL_TEXT_WIDTH = 24
XL_CONDITIONING = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": XL_TEXT_WIDTH + 6 * 4,
}


def save_stable_diffusion(
    folder: Path, kind: Any = StableDiffusionPipeline, unet_channels: int = 4
) -> None:
    """Like stable-diffusion-v1-5: PNDM, factor 8, 4 channels."""
    scheduler = PNDMScheduler(beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1)
    pipeline = kind(
        **_diffusion_parts(unet_channels),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def save_stable_diffusion_xl(
    folder: Path, kind: Any = StableDiffusionXLPipeline, unet_channels: int = 4
) -> None:
    """Like stabilityai/stable-diffusion-xl-base-1.0: two text encoders, size conditioning."""
    width = TEXT_WIDTH + XL_TEXT_WIDTH
    parts = _diffusion_parts(unet_channels, cross_width=width, **XL_CONDITIONING)
    pipeline = kind(
        **parts,
        tokenizer_2=parts["tokenizer"],
        text_encoder_2=CLIPTextModelWithProjection(
            CLIPTextConfig.from_dict(
                parts["text_encoder"].config.to_dict()
                | {"hidden_size": XL_TEXT_WIDTH, "projection_dim": XL_TEXT_WIDTH}
            )
        ),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    )
    pipeline.save_pretrained(folder)


def save_instruct_pix2pix(folder: Path) -> None:
    """Like timbrooks/instruct-pix2pix: Euler ancestral, 8 channels."""
    pipeline = StableDiffusionInstructPix2PixPipeline(
        **_diffusion_parts(unet_channels=8),
        scheduler=EulerAncestralDiscreteScheduler(beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def _diffusion_parts(
    unet_channels: int, cross_width: int = TEXT_WIDTH, **conditioning: object
) -> dict[str, Any]:
    tokenizer = CLIPTokenizer(
        vocab=letters("<|startoftext|>", "<|endoftext|>"), merges=[], model_max_length=16
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=TEXT_WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=16,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=unet_channels,
        out_channels=4,
        block_out_channels=(4, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=2,
        cross_attention_dim=cross_width,
        norm_num_groups=2,
        **conditioning,
    )
    vae = AutoencoderKL(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=2,
    )
    return {"tokenizer": tokenizer, "text_encoder": text_encoder, "unet": unet, "vae": vae}
