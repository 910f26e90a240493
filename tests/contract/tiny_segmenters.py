"""Random checkpoints of the Segment Anything models that `mask_generator` loads, as published."""

from transformers import (
    EdgeTamConfig,
    EdgeTamModel,
    EdgeTamVisionConfig,
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2Processor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
    Sam2VisionConfig,
    Sam3ImageProcessor,
    Sam3TrackerConfig,
    Sam3TrackerModel,
    Sam3TrackerProcessor,
    SamConfig,
    SamHQConfig,
    SamHQModel,
    SamHQProcessor,
    SamImageProcessor,
    SamModel,
    SamProcessor,
    TimmWrapperConfig,
)

SIDE = 64
WIDTH = 16
PROMPTS = {"hidden_size": WIDTH, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
DECODER = {
    "hidden_size": WIDTH,
    "mlp_dim": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "iou_head_depth": 2,
    "iou_head_hidden_dim": WIDTH,
}
FEATURES = {
    "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    "fpn_hidden_size": WIDTH,
}


def save_sam(folder):
    """Like facebook/sam-vit-base."""
    config = SamConfig(
        vision_config=sam_vision(), prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER
    )
    SamModel(config).save_pretrained(folder)
    SamProcessor(sam_images()).save_pretrained(folder)


def save_sam_hq(folder):
    """Like syscv-community/sam-hq-vit-base: features of an early layer refine the masks."""
    config = SamHQConfig(
        vision_config=sam_vision(),
        prompt_encoder_config=PROMPTS,
        mask_decoder_config={**DECODER, "vit_dim": WIDTH},
    )
    SamHQModel(config).save_pretrained(folder)
    SamHQProcessor(sam_images()).save_pretrained(folder)


def sam_vision():
    """Return the settings of SAM's image encoder, with one layer in windows and one without."""
    return {
        "hidden_size": WIDTH,
        "output_channels": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 16,
        "window_size": 2,
        "global_attn_indexes": [1],
        "num_pos_feats": WIDTH // 2,
        "mlp_dim": WIDTH,
        "initializer_range": 0.2,
    }


def sam_images():
    size = {"height": SIDE, "width": SIDE}
    return SamImageProcessor(size={"longest_edge": SIDE}, pad_size=size)


def save_sam2(folder):
    """Like facebook/sam2-hiera-tiny."""
    Sam2Model(Sam2Config(**sam2_parts())).save_pretrained(folder)
    Sam2Processor(sam2_images()).save_pretrained(folder)


def save_sam2_video(folder):
    """Like facebook/sam2.1-hiera-tiny: with a memory for videos."""
    config = Sam2VideoConfig(
        **sam2_parts(),
        image_size=SIDE,
        memory_encoder_hidden_size=WIDTH,
        memory_encoder_output_channels=4,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_num_attention_heads=1,
        memory_attention_feed_forward_hidden_size=WIDTH,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=WIDTH,
        memory_fuser_num_layers=1,
        mask_downsampler_embed_dim=WIDTH,
    )
    Sam2VideoModel(config).save_pretrained(folder)
    Sam2VideoProcessor(sam2_images(), Sam2VideoVideoProcessor()).save_pretrained(folder)


def sam2_parts():
    """Return the settings of SAM 2's parts."""
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        embed_dim_per_stage=[8, 16, 24, 32],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        blocks_per_stage=[1, 1, 2, 1],
        window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[3],
        image_size=[SIDE, SIDE],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[32, 24, 16, 8], **FEATURES
    )
    return {
        "vision_config": vision,
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": DECODER,
    }


def sam2_images():
    size = {"height": SIDE, "width": SIDE}
    return Sam2ImageProcessor(size=size, mask_size={"height": 16, "width": 16})


def save_edgetam(folder):
    """Like yonigozlan/EdgeTAM-hf, with a smaller network of timm as its backbone."""
    backbone = TimmWrapperConfig(
        architecture="test_resnet",
        model_args={"in_chans": 3, "features_only": True, "out_indices": [1, 2, 3, 4]},
    )
    vision = EdgeTamVisionConfig(
        backbone_config=backbone, backbone_channel_list=[96, 192, 48, 32], **FEATURES
    )
    config = EdgeTamConfig(
        vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER
    )
    EdgeTamModel(config).save_pretrained(folder)
    Sam2Processor(sam2_images()).save_pretrained(folder)


def sam3_vision():
    """Return the settings of SAM 3's image encoder."""
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "pretrain_image_size": SIDE,
        "patch_size": 16,
        "window_size": 2,
        "global_attn_indexes": [1],
    }
    return {"backbone_config": backbone, **FEATURES}


def save_sam3_tracker(folder):
    """Like the tracker of facebook/sam3."""
    config = Sam3TrackerConfig(
        vision_config=sam3_vision(), prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER
    )
    Sam3TrackerModel(config).save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    images = Sam3ImageProcessor(size=size, mask_size={"height": 16, "width": 16})
    Sam3TrackerProcessor(images).save_pretrained(folder)


SAVERS = {
    "sam": save_sam,
    "sam_hq": save_sam_hq,
    "sam2": save_sam2,
    "sam2_video": save_sam2_video,
    "edgetam": save_edgetam,
    "sam3_tracker": save_sam3_tracker,
}
