"""Random checkpoints of the paper's classes, a few kilobytes each, in the hub's own layouts."""

import json
from pathlib import Path
from typing import Any

import torch
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
from open_clip import CLIP
from safetensors.torch import save_file, save_model
from transformers import (
    BertConfig,
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    GPT2Tokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    OPTConfig,
    SwinConfig,
)

from chatgenimage.workers import grounding_dino_original, sam

TEXT_WIDTH = 16
XL_TEXT_WIDTH = 24
XL_CONDITIONING = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": XL_TEXT_WIDTH + 6 * 4,
}
WORDS = ("dog", "house", "tree", "car", "city", "street", "a", "in", "forest")


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


def save_blip2(folder: Path) -> None:
    """Like Salesforce/blip2-opt-2.7b."""
    tokenizer = GPT2Tokenizer(
        vocab=letters("<pad>", "<s>", "</s>"),
        merges=[],
        bos_token="<s>",  # noqa: S106  (no password)
        eos_token="</s>",  # noqa: S106
        unk_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
    )
    images = BlipImageProcessor(size={"height": 16, "width": 16})
    processor = Blip2Processor(images, tokenizer, num_query_tokens=4)
    vision = Blip2VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        initializer_range=0.5,
    )
    qformer = Blip2QFormerConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        encoder_hidden_size=16,
        initializer_range=0.5,
    )
    text = OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        word_embed_proj_dim=16,
        ffn_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        init_std=0.5,
    )
    config = Blip2Config(
        vision_config=vision.to_dict(),
        qformer_config=qformer.to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def save_blip(folder: Path) -> None:
    """Like Salesforce/blip-image-captioning-base, with BERT's special words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", *WORDS]
    tokenizer = BertTokenizer(vocab={word: index for index, word in enumerate(words)})
    part = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 16,
        "initializer_range": 0.5,
    }
    text = {
        "vocab_size": len(words),
        "encoder_hidden_size": 16,
        "max_position_embeddings": 64,
        "bos_token_id": words.index("[DEC]"),
        "pad_token_id": 0,
        "eos_token_id": words.index("[SEP]"),
        "sep_token_id": words.index("[SEP]"),
    }
    config = BlipConfig(
        text_config=part | text,
        vision_config=part | {"image_size": 16, "patch_size": 8},
        projection_dim=16,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 16, "width": 16})
    BlipProcessor(images, tokenizer).save_pretrained(folder)


def save_grounding_dino(folder: Path) -> None:
    """Like IDEA-Research/grounding-dino-tiny; its code expects BERT's special ids."""
    tokenizer = _bert_tokenizer()
    images = GroundingDinoImageProcessor(size={"shortest_edge": 32, "longest_edge": 64})
    backbone = SwinConfig(
        image_size=32,
        patch_size=2,
        embed_dim=8,
        depths=[1, 1, 1],
        num_heads=[2, 2, 2],
        window_size=4,
        out_features=["stage2", "stage3"],
    )
    text = _bert_config(tokenizer)
    config = GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=6,
        num_feature_levels=2,
        max_text_len=32,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


ORIGINAL_SETTINGS = {
    "enc_layers": 1,
    "dec_layers": 2,
    "dim_feedforward": 16,
    "nheads": 2,
    "num_queries": 6,
    "num_feature_levels": 3,
}


def save_grounding_dino_original(folder: Path) -> None:
    """Save the authors' network, as narrow as their code allows: 100 MB."""
    save_bert(folder / "text_encoder")
    model = grounding_dino_original.build_network(ORIGINAL_SETTINGS, folder / "text_encoder")
    (folder / "config.json").write_text(json.dumps(ORIGINAL_SETTINGS), encoding="utf-8")
    save_model(model, folder / "model.safetensors")


def save_bert(folder: Path) -> None:
    """Save settings and vocabulary, like google-bert/bert-base-uncased."""
    tokenizer = _bert_tokenizer()
    tokenizer.save_pretrained(folder)
    _bert_config(tokenizer).save_pretrained(folder)


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


def letters(*special: str) -> dict[str, int]:
    """Return a vocabulary that spells every word letter by letter."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,Ġ"
    names = [*special, *letters, *(f"{letter}</w>" for letter in letters)]
    return {name: index for index, name in enumerate(names)}


def _bert_tokenizer() -> BertTokenizer:
    """Return a vocabulary of few words at BERT's special ids."""
    names = [f"[unused{index}]" for index in range(1040)]
    names[0], names[100:104] = "[PAD]", ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names[1012], names[1029] = ".", "?"
    names[200 : 200 + len(WORDS)] = WORDS
    return BertTokenizer(vocab={name: index for index, name in enumerate(names)})


def _bert_config(tokenizer: BertTokenizer) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
