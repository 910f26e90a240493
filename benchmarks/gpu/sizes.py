"""The published networks' sizes, and tiny ones of the same build.

Values are those of the published `config.json` files; vocabularies are padded to the published
sizes over the small tokenizers that ship with the micro checkpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Settings = Mapping[str, Any]

CLIP_L = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
CLIP_BIG_G = CLIP_L | {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
UNET_1 = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
UNET_XL = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 10),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
VAE = {
    "sample_size": 512,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
VAE_XL = VAE | {"sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}

BLIP2_OPT_2_7B = {
    "vision": {
        "hidden_size": 1408,
        "intermediate_size": 6144,
        "num_hidden_layers": 39,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
    },
    "qformer": {
        "vocab_size": 30522,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "encoder_hidden_size": 1408,
    },
    "text": {
        "vocab_size": 50304,
        "hidden_size": 2560,
        "word_embed_proj_dim": 2560,
        "ffn_dim": 10240,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 2048,
    },
    "query_tokens": 32,
}
BERT = {"vocab_size": 30522}
SWIN_T = {
    "image_size": 224,
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
    "out_features": ["stage2", "stage3", "stage4"],
}
SWIN_B = SWIN_T | {
    "image_size": 384,
    "embed_dim": 128,
    "depths": [2, 2, 18, 2],
    "num_heads": [4, 8, 16, 32],
    "window_size": 12,
}
DINO_EDGES = {"shortest_edge": 800, "longest_edge": 1333}
VIT_B_32 = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 512,
        "heads": 8,
        "layers": 12,
    },
}

TINY_CLIP = CLIP_L | {
    "vocab_size": 600,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "projection_dim": 16,
}
TINY_UNET = UNET_1 | {
    "sample_size": 8,
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "norm_num_groups": 2,
}
TINY_UNET_XL = TINY_UNET | {
    "cross_attention_dim": 32,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 16 + 6 * 4,
}
TINY_VAE = VAE | {"sample_size": 64, "block_out_channels": (4, 4, 4, 4), "norm_num_groups": 2}
TINY_PART = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
TINY_BLIP2 = {
    "vision": TINY_PART | {"image_size": 16, "patch_size": 8},
    "qformer": TINY_PART | {"vocab_size": 8, "num_hidden_layers": 2, "encoder_hidden_size": 16},
    "text": {
        "vocab_size": 200,
        "hidden_size": 16,
        "word_embed_proj_dim": 16,
        "ffn_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
    },
    "query_tokens": 4,
}
TINY_SWIN = SWIN_T | {
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [1, 1, 1],
    "num_heads": [2, 2, 2],
    "window_size": 4,
    "out_features": ["stage2", "stage3"],
}
TINY_DINO = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "num_queries": 6,
    "num_feature_levels": 2,
}
TINY_VIT = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 8,
        "heads": 2,
        "layers": 1,
    },
}
TINY_SAM = {
    "image_encoder": {
        "img_size": 64,
        "patch_size": 16,
        "embed_dim": 16,
        "depth": 1,
        "num_heads": 2,
        "out_chans": 16,
        "use_rel_pos": True,
        "window_size": 0,
    },
    "prompt_encoder": {
        "embed_dim": 16,
        "image_embedding_size": [4, 4],
        "input_image_size": [64, 64],
        "mask_in_chans": 4,
    },
    "mask_decoder": {
        "transformer_dim": 16,
        "transformer": {"depth": 1, "embedding_dim": 16, "num_heads": 2, "mlp_dim": 16},
        "iou_head_hidden_dim": 16,
    },
    "pixel_mean": [123.675, 116.28, 103.53],
    "pixel_std": [58.395, 57.12, 57.375],
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large each network is, and the images that it works on.

    Attributes:
        sam: None for Meta's own ViT-H.
        side_px: Of an image of Stable Diffusion 1.5; XL's are twice as wide.
    """

    clip_l: Settings
    clip_g: Settings
    unet: Settings
    unet_xl: Settings
    vae: Settings
    vae_xl: Settings
    blip2: Settings
    bert: Settings
    swin_t: Settings
    swin_b: Settings
    dino: Settings
    dino_edges: Mapping[str, int]
    vit: Settings
    sam: Settings | None
    side_px: int


PUBLISHED = Sizes(
    clip_l=CLIP_L,
    clip_g=CLIP_BIG_G,
    unet=UNET_1,
    unet_xl=UNET_XL,
    vae=VAE,
    vae_xl=VAE_XL,
    blip2=BLIP2_OPT_2_7B,
    bert=BERT,
    swin_t=SWIN_T,
    swin_b=SWIN_B,
    dino={},  # transformers' defaults are the published values
    dino_edges=DINO_EDGES,
    vit=VIT_B_32,
    sam=None,
    side_px=512,
)
TINY = Sizes(
    clip_l=TINY_CLIP,
    clip_g=TINY_CLIP,
    unet=TINY_UNET,
    unet_xl=TINY_UNET_XL,
    vae=TINY_VAE,
    vae_xl=TINY_VAE,
    blip2=TINY_BLIP2,
    bert=TINY_PART | {"vocab_size": 1100},
    swin_t=TINY_SWIN,
    swin_b=TINY_SWIN,
    dino=TINY_DINO,
    dino_edges={"shortest_edge": 32, "longest_edge": 64},
    vit=TINY_VIT,
    sam=TINY_SAM,
    side_px=64,
)
