"""Settings of the model families: one frozen class each; FamilyConfig is their union."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chatgenimage.workers.server_config import (
    OpenAiConfig,
    OpenAiImagesConfig,
    OpenAiVisionConfig,
)
from chatgenimage.workers.vision_config import (
    MaskGeneratorConfig,
    VisionLanguageConfig,
    ZeroShotDetectorConfig,
)
from chatgenimage.workers.weights_config import (
    CHECKPOINT,
    CaptionerConfig,
    DetectorConfig,
    WeightsConfig,
)


class DiffusionConfig(WeightsConfig):
    """Settings of diffusion pipelines besides their weights."""

    settings_of: str | None = Field(
        None,
        description="For a single .safetensors file: the checkpoint (folder or hub id) that it was "
        "made from; provides vocabulary, scheduler and shapes.",
    )
    lora: tuple[str, ...] = Field(
        (), description="LoRA weights to add: files, folders or hub ids; peft must be installed."
    )
    lora_scale: float = Field(1.0, ge=0, le=2, description="Strength of the LoRA weights.")
    variant: Literal["fp16"] | None = Field(
        None,
        description="fp16: take the files in half precision that a repository has besides the full "
        "ones, or alone.",
    )
    safety_checker: bool = Field(
        default=False,
        description="Whether to load the checkpoint's own safety checker and give up what it "
        "finds; only Stable Diffusion 1.x and InstructPix2Pix have one.",
    )
    offload: Literal["none", "model", "sequential"] = Field(
        "none", description="Keep only the active model, or only its active layer, on the device."
    )
    compile: bool = Field(
        default=False, description="Compile the denoiser at its first use: slow start, then faster."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_slicing(cls, values: Any) -> Any:  # noqa: ANN401 (a mapping, or the model itself)
        """Refuse `attention_slicing`; that it is off is in the record of earlier runs."""
        if not isinstance(values, dict):
            return values
        if values.get("attention_slicing"):
            raise ValueError(
                "attention_slicing was removed: PyTorch's own attention needs a seventh of its "
                "memory and half of its time. Delete the line"
            )
        return {key: value for key, value in values.items() if key != "attention_slicing"}


class StableDiffusionConfig(DiffusionConfig):
    """Stable Diffusion (1.x, 2.x, XL): generates, and fills by Blended Latent Diffusion."""

    family: Literal["stable_diffusion"] = "stable_diffusion"
    size_wh: tuple[int, int] = Field((512, 512), description="Size of a generated image, pixels.")
    num_inference_steps: int = Field(50, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(7.5, ge=0, description="How closely the prompt is followed.")
    negative_prompt: str = Field("", description="Content that no image should show.")
    fill_num_inference_steps: int = Field(50, ge=1, le=1000, description="Steps of a fill.")
    fill_guidance_scale: float = Field(7.5, ge=0, description="Guidance of a fill.")
    fill_mask_growth: int = Field(
        0,
        ge=0,
        le=16,
        description="Latent cells by which a small mask is grown at first; it shrinks to its own "
        "size during painting. 0: no mask shrinks.",
    )
    fill_zoom_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of a side that a filled box takes in the enlarged crop to paint; "
        "None: the whole image is painted.",
    )


class InstructPix2PixConfig(DiffusionConfig):
    """InstructPix2Pix: edits by instruction."""

    family: Literal["instruct_pix2pix"] = "instruct_pix2pix"
    num_inference_steps: int = Field(50, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(7.5, ge=1, description="How closely it follows instructions.")
    image_guidance_scale: float = Field(1.5, ge=1, description="How closely it keeps the image.")


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


class RulesConfig(BaseModel):
    """The offline rule book: knows only the words that the micro checkpoints know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["rules"] = "rules"
    checkpoint: str = Field(min_length=1, description=CHECKPOINT)


FamilyConfig = Annotated[
    StableDiffusionConfig
    | InstructPix2PixConfig
    | BlipConfig
    | Blip2Config
    | GroundingDinoConfig
    | GroundingDinoOriginalConfig
    | SegmentAnythingConfig
    | OpenClipConfig
    | ZeroShotDetectorConfig
    | MaskGeneratorConfig
    | VisionLanguageConfig
    | RulesConfig
    | OpenAiConfig
    | OpenAiImagesConfig
    | OpenAiVisionConfig,
    Field(discriminator="family"),
]
