"""Settings of families that paint: diffusion pipelines."""

from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from chatgenimage.workers.weights_config import IN_BFLOAT16, WeightsConfig

MASK_GROWTH = (
    "Latent cells by which a small mask is grown at first; it shrinks to its own size during "
    "painting. 0: no mask shrinks."
)
ZOOM_SHARE = (
    "Share of a side that a filled box takes in the enlarged crop to paint; None: the whole image "
    "is painted."
)
STRENGTH = (
    "Share of the noise that a fill begins with; below 1 something of the old content stays. "
    "None: the table's."
)
EDIT_SIDE = (
    "An image with more than edit_side_px x edit_side_px pixels is edited at about so many, and "
    "scaled back to its size; None: {}."
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
    fill_mask_growth: int = Field(0, ge=0, le=16, description=MASK_GROWTH)
    fill_zoom_share: float | None = Field(None, gt=0, le=1, description=ZOOM_SHARE)


class InstructPix2PixConfig(DiffusionConfig):
    """InstructPix2Pix: edits by instruction."""

    family: Literal["instruct_pix2pix"] = "instruct_pix2pix"
    num_inference_steps: int = Field(50, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(7.5, ge=1, description="How closely it follows instructions.")
    image_guidance_scale: float = Field(1.5, ge=1, description="How closely it keeps the image.")
    edit_side_px: int | None = Field(
        None, ge=64, description=EDIT_SIDE.format("at its own size; the authors edited at 512")
    )


class PainterConfig(DiffusionConfig):
    """Settings of a pipeline of any class that the family's table knows."""

    HALF: ClassVar[Literal["float16", "bfloat16"]] = (
        "bfloat16"  # trained in it, and some overflow in float16
    )

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "float32", description=IN_BFLOAT16
    )
    num_inference_steps: int = Field(30, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float | None = Field(
        None, ge=0, description="How closely the prompt is followed; None: the table's."
    )
    negative_prompt: str = Field(
        "", description="Content that no image should show; refused if the class has none."
    )


class TextToImageConfig(PainterConfig):
    """Any text-to-image pipeline: generates; some fill too, with the same weights."""

    family: Literal["text_to_image"] = "text_to_image"
    size_wh: tuple[int, int] = Field((1024, 1024), description="Size of a generated image, pixels.")
    fill_num_inference_steps: int = Field(30, ge=1, le=1000, description="Steps of a fill.")
    fill_guidance_scale: float | None = Field(
        None, ge=0, description="Guidance of a fill; None: the table's."
    )
    fill_strength: float | None = Field(None, gt=0, le=1, description=STRENGTH)
    fill_mask_growth: int = Field(0, ge=0, le=16, description=MASK_GROWTH)
    fill_zoom_share: float | None = Field(None, gt=0, le=1, description=ZOOM_SHARE)


class InpaintConfig(PainterConfig):
    """Any inpainting pipeline: fills."""

    family: Literal["inpaint"] = "inpaint"
    strength: float | None = Field(None, gt=0, le=1, description=STRENGTH)
    fill_mask_growth: int = Field(0, ge=0, le=16, description=MASK_GROWTH)
    fill_zoom_share: float | None = Field(None, gt=0, le=1, description=ZOOM_SHARE)


class InstructionEditConfig(PainterConfig):
    """Any pipeline that edits by instruction."""

    family: Literal["instruction_edit"] = "instruction_edit"
    edit_side_px: int | None = Field(None, ge=64, description=EDIT_SIDE.format("the table's"))
    image_guidance_scale: float | None = Field(
        None, ge=1, description="How closely it keeps the image; InstructPix2Pix only."
    )


GeneratorConfig: TypeAlias = StableDiffusionConfig | TextToImageConfig
"""Settings of families that generate images of `size_wh`."""
