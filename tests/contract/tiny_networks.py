"""Tiny random networks of today's painters with their text encoders, by published model."""

from collections.abc import Sequence
from typing import Any

from diffusers import (
    AuraFlowTransformer2DModel,
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    LongCatImageTransformer2DModel,
    Lumina2Transformer2DModel,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    ZImageTransformer2DModel,
)
from transformers import CLIPTextModel, Qwen3ForCausalLM, Qwen3Model, UMT5Config, UMT5EncoderModel

from tests.contract import tiny_parts as parts
from tests.contract.tiny_stable_diffusion import TEXT_WIDTH, XL_TEXT_WIDTH

SD3_CHANNELS = 16  # numbers in a latent cell, fixed in the code of SD 3 and LongCat
PACKED = 4 * parts.LATENT_CHANNELS
"""Channels of four latent cells that are one token."""
MASKED = PACKED + 4 * 64
"""Channels of a masked token: its latents, and the mask of its pixels."""


def stable_diffusion_3() -> dict[str, Any]:
    """Like stabilityai/stable-diffusion-3.5-medium: three text encoders."""
    first, second, third = parts.clip(), parts.clip(XL_TEXT_WIDTH), parts.t5()
    transformer = SD3Transformer2DModel(
        sample_size=8,
        in_channels=SD3_CHANNELS,
        out_channels=SD3_CHANNELS,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=parts.T5_WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=TEXT_WIDTH + XL_TEXT_WIDTH,
        pos_embed_max_size=8,
    )
    return _pipeline(transformer, [first, second, third], parts.kl(SD3_CHANNELS))


def flux(in_channels: int = PACKED) -> dict[str, Any]:
    """Like black-forest-labs/FLUX.1-dev: guidance is an input of the network."""
    (tokenizer, encoder), second = parts.clip(), parts.t5()
    encoder = CLIPTextModel(encoder.config)
    transformer = FluxTransformer2DModel(
        in_channels=in_channels,
        out_channels=PACKED,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=parts.T5_WIDTH,
        pooled_projection_dim=TEXT_WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    return _pipeline(transformer, [(tokenizer, encoder), second], parts.kl())


def flux_fill() -> dict[str, Any]:
    """Like black-forest-labs/FLUX.1-Fill-dev: the mask is an input of the network."""
    return flux(in_channels=PACKED + MASKED)


def flux_2() -> dict[str, Any]:
    """Like black-forest-labs/FLUX.2-dev; it reads the layers 10, 20 and 30."""
    return _flux_2(parts.mistral(layers=30), guidance_embeds=True)


def flux_2_klein() -> dict[str, Any]:
    """Like black-forest-labs/FLUX.2-klein-4B, not distilled; it reads the layers 9, 18 and 27."""
    return _flux_2(parts.qwen3(Qwen3ForCausalLM, layers=27), guidance_embeds=False)


def _flux_2(text: tuple[Any, Any], *, guidance_embeds: bool) -> dict[str, Any]:
    transformer = Flux2Transformer2DModel(
        in_channels=PACKED,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * TEXT_WIDTH,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance_embeds,
    )
    return _pipeline(transformer, [text], parts.kl_flux_2())


def qwen_image() -> dict[str, Any]:
    """Like Qwen/Qwen-Image."""
    transformer = QwenImageTransformer2DModel(
        in_channels=PACKED,
        out_channels=parts.LATENT_CHANNELS,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(8, 4, 4),
    )
    return _pipeline(transformer, [parts.qwen_vl()], parts.kl_qwen())


def qwen_image_edit() -> dict[str, Any]:
    """Like Qwen/Qwen-Image-Edit: the text encoder also reads the image."""
    made = qwen_image()
    return made | {"processor": parts.qwen_vl_processor(made["tokenizer"])}


def longcat() -> dict[str, Any]:
    """Like meituan-longcat/LongCat-Image and -Edit."""
    tokenizer, encoder = parts.qwen_vl()
    transformer = LongCatImageTransformer2DModel(
        in_channels=4 * SD3_CHANNELS,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=[4, 4, 8],
    )
    processor = parts.qwen_vl_processor(tokenizer)
    made = _pipeline(transformer, [(tokenizer, encoder)], parts.kl(SD3_CHANNELS))
    return made | {"text_processor": processor}


def z_image() -> dict[str, Any]:
    """Like Tongyi-MAI/Z-Image."""
    transformer = ZImageTransformer2DModel(
        in_channels=parts.LATENT_CHANNELS,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=TEXT_WIDTH,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    )
    return _pipeline(transformer, [parts.qwen3(Qwen3Model, layers=2)], parts.kl())


def sana(**settings: object) -> dict[str, Any]:
    """Like Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers: cells of 32 px."""
    transformer = SanaTransformer2DModel(
        patch_size=1,
        in_channels=parts.LATENT_CHANNELS,
        out_channels=parts.LATENT_CHANNELS,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=4,
        num_cross_attention_heads=2,
        cross_attention_head_dim=4,
        cross_attention_dim=8,
        caption_channels=8,
        sample_size=32,
        **settings,
    )
    return _pipeline(transformer, [parts.gemma()], parts.deep())


def sana_sprint() -> dict[str, Any]:
    """Like Efficient-Large-Model/Sana_Sprint_1.6B_1024px_diffusers: guidance is an input."""
    return sana(qk_norm="rms_norm_across_heads", guidance_embeds=True)


def chroma() -> dict[str, Any]:
    """Like lodestones/Chroma1-HD: FLUX without CLIP and without an input for guidance."""
    transformer = ChromaTransformer2DModel(
        in_channels=PACKED,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=parts.T5_WIDTH,
        axes_dims_rope=(4, 4, 8),
        approximator_num_channels=8,
        approximator_hidden_dim=8,
        approximator_layers=1,
    )
    return _pipeline(transformer, [parts.t5()], parts.kl())


def pixart() -> dict[str, Any]:
    """Like PixArt-alpha/PixArt-Sigma-XL-2-1024-MS."""
    transformer = PixArtTransformer2DModel(
        sample_size=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_channels=parts.T5_WIDTH,
        in_channels=parts.LATENT_CHANNELS,
        out_channels=2 * parts.LATENT_CHANNELS,
        cross_attention_dim=16,
        norm_num_groups=1,
    )
    return _pipeline(transformer, [parts.t5()], parts.kl())


def aura_flow() -> dict[str, Any]:
    """Like fal/AuraFlow-v0.3."""
    tokenizer, encoder = parts.t5()
    transformer = AuraFlowTransformer2DModel(
        sample_size=8,
        in_channels=parts.LATENT_CHANNELS,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=parts.T5_WIDTH,
        caption_projection_dim=16,
        out_channels=parts.LATENT_CHANNELS,
        pos_embed_max_size=256,
    )
    encoder = UMT5EncoderModel(UMT5Config(**encoder.config.to_dict()))
    return _pipeline(transformer, [(tokenizer, encoder)], parts.kl())


def lumina_2() -> dict[str, Any]:
    """Like Alpha-VLLM/Lumina-Image-2.0."""
    transformer = Lumina2Transformer2DModel(
        sample_size=8,
        in_channels=parts.LATENT_CHANNELS,
        hidden_size=16,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=16,
        axes_dim_rope=[4, 2, 2],
        axes_lens=[1024, 32, 32],
        cap_feat_dim=8,
    )
    return _pipeline(transformer, [parts.gemma()], parts.kl())


def _pipeline(
    transformer: Any,
    texts: Sequence[tuple[Any, Any]],
    vae: Any,
) -> dict[str, Any]:
    """Return the parts of a pipeline under the names of diffusers.

    Args:
        transformer: Predicts the noise.
        texts: Pairs of a tokenizer and its text encoder, in the order of the pipeline.
        vae: Encodes and decodes images.
    """
    named: dict[str, Any] = {}
    for number, (tokenizer, encoder) in enumerate(texts, start=1):
        suffix = "" if number == 1 else f"_{number}"
        named |= {f"tokenizer{suffix}": tokenizer, f"text_encoder{suffix}": encoder.eval()}
    return named | {"transformer": transformer, "vae": vae}
