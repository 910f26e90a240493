"""Random checkpoints of the paper's classes, a few kilobytes each, in the hub's own layouts."""

import json
from pathlib import Path

import torch
from open_clip import CLIP
from safetensors.torch import save_file

from chatgenimage.workers import sam
from tests.contract.tiny_captioners import save_blip, save_blip2
from tests.contract.tiny_grounding import save_grounding_dino, save_grounding_dino_original
from tests.contract.tiny_stable_diffusion import (
    save_instruct_pix2pix,
    save_stable_diffusion,
    save_stable_diffusion_xl,
)


def save_segment_anything(folder: Path) -> None:
    """Save Meta's network at 64 pixels."""
    settings = {
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
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    save_file(sam.build_sam(settings).state_dict(), folder / "model.safetensors")


def save_open_clip(folder: Path) -> None:
    """Like laion's CLIP-ViT-B-32, with CLIP's own vocabulary."""
    model_cfg = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 12,
            "vocab_size": 49408,
            "width": 8,
            "heads": 2,
            "layers": 1,
        },
    }
    preprocess_cfg = {"mean": [0.5, 0.5, 0.5], "std": [0.3, 0.3, 0.3]}
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}), encoding="utf-8"
    )
    save_file(CLIP(**model_cfg).state_dict(), folder / "open_clip_model.safetensors")


def save_all(root: Path) -> None:
    """Write one folder per family, named after it."""
    torch.manual_seed(0)
    save_stable_diffusion(root / "stable_diffusion")
    save_instruct_pix2pix(root / "instruct_pix2pix")
    save_stable_diffusion_xl(root / "stable_diffusion_xl")
    save_blip(root / "blip")
    save_blip2(root / "blip2")
    save_grounding_dino(root / "grounding_dino")
    save_grounding_dino_original(root / "grounding_dino_original")
    save_segment_anything(root / "segment_anything")
    save_open_clip(root / "open_clip")
