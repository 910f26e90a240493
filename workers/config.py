"""Settings of the model families: one frozen class each; FamilyConfig is their union."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from chatgenimage.workers.painter_config import (
    InpaintConfig,
    InstructionEditConfig,
    InstructPix2PixConfig,
    StableDiffusionConfig,
    TextToImageConfig,
)
from chatgenimage.workers.server_config import (
    OpenAiConfig,
    OpenAiImagesConfig,
    OpenAiVisionConfig,
)
from chatgenimage.workers.vision_config import (
    MaskGeneratorConfig,
    Sam3Config,
    SimilarityConfig,
    VisionLanguageConfig,
    ZeroShotDetectorConfig,
)
from chatgenimage.workers.weights_config import (
    CHECKPOINT,
    CaptionerConfig,
    DetectorConfig,
    WeightsConfig,
)


class BlipConfig(CaptionerConfig):
    """BLIP: captions, with a tenth of BLIP-2's parameters."""

    family: Literal["blip"] = "blip"


class Blip2Config(CaptionerConfig):
    """BLIP-2: captions."""

    family: Literal["blip2"] = "blip2"


class GroundingDinoConfig(DetectorConfig):
    """Grounding DINO: finds objects by name."""

    family: Literal["grounding_dino"] = "grounding_dino"


class GroundingDinoOriginalConfig(DetectorConfig):
    """Grounding DINO by its authors' package groundingdino-py and its `.pth` files."""

    family: Literal["grounding_dino_original"] = "grounding_dino_original"
    dtype: Literal["float32"] = Field("float32", description="The network supports no other.")
    text_encoder: str = Field(
        "google-bert/bert-base-uncased",
        min_length=1,
        description="For a .pth file: folder or hub id of the BERT with the network's settings and "
        "vocabulary; BERT's weights are in the file.",
    )
    shortest_edge: int = Field(800, ge=32, description="Shorter side after scaling, pixels.")
    longest_edge: int = Field(1333, ge=32, description="Limit of the longer side, pixels.")


class SegmentAnythingConfig(WeightsConfig):
    """Segment Anything: masks from boxes."""

    family: Literal["segment_anything"] = "segment_anything"
    boxes_per_batch: int = Field(64, ge=1, description="Boxes in one pass of the decoder.")


class OpenClipConfig(WeightsConfig):
    """OpenCLIP: image and text embeddings."""

    family: Literal["open_clip"] = "open_clip"
    logit_scale: float | None = Field(
        None,
        gt=0,
        exclude_if=lambda value: value is None,  # as in version 0.2
        description="Factor of cosines before a softmax over texts; unset: the checkpoint's own.",
    )


class RulesConfig(BaseModel):
    """The offline rule book: knows only the words that the micro checkpoints know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    family: Literal["rules"] = "rules"
    checkpoint: str = Field(min_length=1, description=CHECKPOINT)


FamilyConfig = Annotated[
    StableDiffusionConfig
    | InstructPix2PixConfig
    | TextToImageConfig
    | InpaintConfig
    | InstructionEditConfig
    | BlipConfig
    | Blip2Config
    | GroundingDinoConfig
    | GroundingDinoOriginalConfig
    | SegmentAnythingConfig
    | OpenClipConfig
    | ZeroShotDetectorConfig
    | MaskGeneratorConfig
    | VisionLanguageConfig
    | SimilarityConfig
    | Sam3Config
    | RulesConfig
    | OpenAiConfig
    | OpenAiImagesConfig
    | OpenAiVisionConfig,
    Field(discriminator="family"),
]
