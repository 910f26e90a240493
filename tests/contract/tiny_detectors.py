"""Random checkpoints of detectors that the family `zero_shot_detector` loads, as published."""

from transformers import (
    CLIPTextConfig,
    CLIPTokenizer,
    DetrImageProcessor,
    GroundingDinoConfig,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    OmDetTurboConfig,
    OmDetTurboForObjectDetection,
    OmDetTurboProcessor,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessor,
    OwlViTProcessor,
    SwinConfig,
)

from tests.contract.tiny_grounding import save_grounding_dino

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ("dog", "house", "tree", "car", "city", "street")


def clip_tokenizer(room):
    """Return CLIP's tokenizer with whole words: "dog" is one token, "cat" is three."""
    names = ["<|unknown|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS), ",</w>", ".</w>"]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts[:2] = ["".join(parts[:2])]
    names += dict.fromkeys("".join(pair) for pair in merges)
    names += ["<|startoftext|>", "<|endoftext|>"]  # the end has the highest number
    return CLIPTokenizer(
        vocab={name: index for index, name in enumerate(names)},
        merges=list(dict.fromkeys(merges)),
        unk_token="<|unknown|>",  # noqa: S106  (no password)
        model_max_length=room,
    )


def clip_text(tokenizer, width=16):
    """Return the settings of a text encoder."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": width,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": width,
    }


def clip_vision(size=32, width=16):
    """Return the settings of an image encoder."""
    return {
        "hidden_size": width,
        "intermediate_size": width,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": size,
        "patch_size": 8,
        "projection_dim": width,
    }


def save_mm_grounding_dino(folder):
    """Like openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg; LLMDet has the same layout."""
    save_grounding_dino(folder)
    values = GroundingDinoConfig.from_pretrained(folder).to_dict()
    config = MMGroundingDinoConfig(**{k: v for k, v in values.items() if k != "model_type"})
    MMGroundingDinoForObjectDetection(config).save_pretrained(folder)


def save_owlv2(folder):
    """Like google/owlv2-base-patch16-ensemble: 16 tokens for a label, images padded to squares."""
    tokenizer = clip_tokenizer(room=16)
    config = Owlv2Config(
        text_config=clip_text(tokenizer), vision_config=clip_vision(), projection_dim=16
    )
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    images = Owlv2ImageProcessor(size={"height": 32, "width": 32})
    Owlv2Processor(images, tokenizer).save_pretrained(folder)


def save_owlvit(folder):
    """Like google/owlvit-base-patch32: images scaled to squares."""
    tokenizer = clip_tokenizer(room=16)
    config = OwlViTConfig(
        text_config=clip_text(tokenizer), vision_config=clip_vision(), projection_dim=16
    )
    OwlViTForObjectDetection(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    images = OwlViTImageProcessor(size=size, crop_size=size)
    OwlViTProcessor(images, tokenizer).save_pretrained(folder)


def save_omdet(folder):
    """Like omlab/omdet-turbo-swin-tiny-hf, but its backbone is transformers', not timm's."""
    tokenizer = clip_tokenizer(room=77)
    config = OmDetTurboConfig(
        text_config=CLIPTextConfig(**clip_text(tokenizer, width=32)),
        backbone_config=SwinConfig(
            image_size=64,
            patch_size=2,
            embed_dim=8,
            depths=[1, 1, 1],
            num_heads=[2, 2, 2],
            window_size=4,
            out_indices=[1, 2, 3],
        ),
        image_size=64,
        text_projection_in_dim=32,
        text_projection_out_dim=32,
        class_embed_dim=32,
        task_encoder_hidden_dim=32,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 32],
        apply_layernorm_after_vision_backbone=False,  # only timm's backbone gives (N, H, W, C)
        vision_features_channels=[16, 16, 16],
        encoder_attention_heads=2,
        encoder_dim_feedforward=16,
        decoder_hidden_dim=16,
        decoder_num_heads=2,
        decoder_num_layers=1,
        decoder_dim_feedforward=16,
        num_queries=6,
    )
    OmDetTurboForObjectDetection(config).save_pretrained(folder)
    images = DetrImageProcessor(size={"height": 64, "width": 64})
    OmDetTurboProcessor(images, tokenizer).save_pretrained(folder)


SAVERS = {
    "grounding_dino": save_grounding_dino,
    "mm_grounding_dino": save_mm_grounding_dino,
    "owlv2": save_owlv2,
    "owlvit": save_owlvit,
    "omdet": save_omdet,
}
