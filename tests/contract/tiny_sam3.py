"""Random checkpoints of SAM 3, as published: alone, and with its tracker for videos."""

from safetensors.torch import load_file, save_file
from transformers import (
    Sam3Config,
    Sam3ImageProcessor,
    Sam3Model,
    Sam3Processor,
    Sam3VideoConfig,
    Sam3VideoModel,
)

from tests.contract.tiny_detectors import clip_text, clip_tokenizer
from tests.contract.tiny_segmenters import DECODER, PROMPTS, SIDE, WIDTH, sam3_vision

ATTENTION = {"hidden_size": WIDTH, "num_attention_heads": 2}
LAYERS = {**ATTENTION, "num_layers": 1, "intermediate_size": WIDTH}


def detector_settings(tokenizer):
    """Return the settings of the network that finds and segments by name."""
    return {
        "vision_config": sam3_vision(),
        "text_config": {**clip_text(tokenizer, width=32), "model_type": "clip_text_model"},
        "geometry_encoder_config": LAYERS,
        "detr_encoder_config": LAYERS,
        "detr_decoder_config": {**LAYERS, "num_queries": 6},
        "mask_decoder_config": ATTENTION,
    }


def processor_of(tokenizer):
    size = {"height": SIDE, "width": SIDE}
    images = Sam3ImageProcessor(size=size, mask_size={"height": 16, "width": 16})
    return Sam3Processor(images, tokenizer)


def save_sam3(folder):
    """Save the detector alone."""
    tokenizer = clip_tokenizer(room=32)
    Sam3Model(Sam3Config(**detector_settings(tokenizer))).save_pretrained(folder)
    processor_of(tokenizer).save_pretrained(folder)


def save_sam3_video(folder):
    """Like facebook/sam3."""
    tokenizer = clip_tokenizer(room=32)
    tracker = {
        "vision_config": sam3_vision(),
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": DECODER,
        "image_size": SIDE,
        "memory_encoder_hidden_size": WIDTH,
        "memory_encoder_output_channels": 4,
        "memory_attention_hidden_size": WIDTH,
        "memory_attention_num_layers": 1,
        "memory_attention_num_attention_heads": 1,
        "memory_attention_feed_forward_hidden_size": WIDTH,
        "memory_attention_rope_feat_sizes": [4, 4],
        "memory_fuser_embed_dim": WIDTH,
        "memory_fuser_intermediate_dim": WIDTH,
        "memory_fuser_num_layers": 1,
        "mask_downsampler_embed_dim": WIDTH,
    }
    config = Sam3VideoConfig(detector_config=detector_settings(tokenizer), tracker_config=tracker)
    Sam3VideoModel(config).save_pretrained(folder)
    file = folder / "model.safetensors"
    doubled, single = "tracker_model.tracker_model.", "tracker_model."  # as published
    weights = {name.replace(doubled, single): value for name, value in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
    processor_of(tokenizer).save_pretrained(folder)


SAVERS = {"sam3": save_sam3, "sam3_video": save_sam3_video}
