"""Settings of the families in `workers/vision`: one frozen class each."""

from typing import ClassVar, Literal

from pydantic import Field

from chatgenimage.workers.weights_config import IN_BFLOAT16, DetectorConfig, WeightsConfig


class ZeroShotDetectorConfig(DetectorConfig):
    """Finds objects by name: Grounding DINO, MM-Grounding-DINO, LLMDet, OWLv2, OWL-ViT, OmDet."""

    family: Literal["zero_shot_detector"] = "zero_shot_detector"


class MaskGeneratorConfig(WeightsConfig):
    """Masks from boxes: SAM, SAM 2, SAM 2.1, SAM-HQ, EdgeTAM, the tracker of SAM 3."""

    family: Literal["mask_generator"] = "mask_generator"
    boxes_per_batch: int = Field(64, ge=1, description="Boxes in one pass of the decoder.")


class VisionLanguageConfig(WeightsConfig):
    """Captions and answers about an image: Qwen-VL, InternVL, SmolVLM, Gemma; Florence-2."""

    HALF: ClassVar[Literal["float16", "bfloat16"]] = (
        "bfloat16"  # trained in it; in float16 Qwen-VL and Gemma 3 overflow and answer nonsense
    )

    family: Literal["vision_language"] = "vision_language"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "float32", description=IN_BFLOAT16
    )
    instruction: str | None = Field(
        None,
        min_length=1,
        description="Request for a caption; unset: for a description in one or two sentences, of "
        "Florence-2 `<MORE_DETAILED_CAPTION>`.",
    )
    max_new_tokens: int = Field(
        160, ge=1, description="Longest caption, tokens; a reasoning model's thoughts count."
    )
    max_answer_tokens: int = Field(
        32, ge=1, description="Longest answer to a question, tokens; thoughts count."
    )


class SimilarityConfig(WeightsConfig):
    """Image and text embeddings: CLIP, SigLIP, SigLIP 2, MetaCLIP 2."""

    family: Literal["similarity"] = "similarity"


class Sam3Config(WeightsConfig):
    """SAM 3: boxes and masks from names, with one encoding of the image."""

    family: Literal["sam3"] = "sam3"
    box_threshold: float = Field(0.5, ge=0, le=1, description="Minimum confidence of an object.")
    mask_threshold: float = Field(
        0.5, ge=0, le=1, description="Minimum probability of a pixel in a mask."
    )
    labels_per_batch: int = Field(8, ge=1, description="Labels of an image in one decoder pass.")
