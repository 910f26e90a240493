"""One frozen settings class per family; FamilyConfig is their discriminated union."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

CHECKPOINT = (
    "A folder or file, `bundled:<name>` for weights that ship with the package, or a hub id."
)


class WeightsConfig(BaseModel):
    """Where the weights of a family lie, and in which precision they compute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str = Field(min_length=1, description=CHECKPOINT)
    revision: str | None = Field(None, description="Hub commit to pin; None for local folders.")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "float32", description="Precision on the device; auto: float16 on cuda, else float32."
    )


class DiffusionConfig(WeightsConfig):
    """What diffusion pipelines can be given besides their weights."""

    settings_of: str | None = Field(
        None,
        description="For a single .safetensors file: the checkpoint (folder or hub id) that it was "
        "made from, whose vocabulary, scheduler and shapes it takes.",
    )
    lora: tuple[str, ...] = Field(
        (), description="LoRA weights to add: files, folders or hub ids; peft must be installed."
    )
    lora_scale: float = Field(1.0, ge=0, le=2, description="How strongly they are added.")
    attention_slicing: bool = Field(
        default=False, description="Less memory for attention, more time."
    )
    offload: Literal["none", "model", "sequential"] = Field(
        "none", description="Keep on the device only the model, or the layer, that is at work."
    )
    compile: bool = Field(
        default=False, description="Compile the denoiser at its first use: minutes once, then fast."
    )


class StableDiffusionConfig(DiffusionConfig):
    """Stable Diffusion (1.x, 2.x, XL): generates, and fills by Blended Latent Diffusion."""

    family: Literal["stable_diffusion"] = "stable_diffusion"
    size_wh: tuple[int, int] = Field((512, 512), description="Size of a generated image, pixels.")
    num_inference_steps: int = Field(50, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(7.5, ge=0, description="How closely the prompt is followed.")
    negative_prompt: str = Field("", description="What no image should show.")
    fill_num_inference_steps: int = Field(50, ge=1, le=1000, description="Steps of a fill.")
    fill_guidance_scale: float = Field(7.5, ge=0, description="Guidance of a fill.")
    fill_mask_growth: int = Field(
        0,
        ge=0,
        le=16,
        description="Latent cells by which a small mask is grown at first, to shrink as it is "
        "painted; 0: no mask shrinks.",
    )
    fill_zoom_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of a side that a filled box takes in the enlarged crop that is painted; "
        "None: the whole image is painted.",
    )


class InstructPix2PixConfig(DiffusionConfig):
    """InstructPix2Pix: edits by instruction."""

    family: Literal["instruct_pix2pix"] = "instruct_pix2pix"
    num_inference_steps: int = Field(50, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(7.5, ge=0, description="How closely it follows the instruction.")
    image_guidance_scale: float = Field(1.5, ge=1, description="How much it keeps of the image.")


class CaptionerConfig(WeightsConfig):
    """What captioners can be given besides their weights."""

    max_new_tokens: int = Field(40, ge=1, description="Longest caption, tokens.")
    num_beams: int = Field(1, ge=1, description="Captions weighed at once; 1 is greedy.")
    length_penalty: float = Field(
        1.0, description="With beams: above 1 favours longer captions, which name more objects."
    )


class BlipConfig(CaptionerConfig):
    """BLIP: captions, with a tenth of BLIP-2's weights."""

    family: Literal["blip"] = "blip"


class Blip2Config(CaptionerConfig):
    """BLIP-2: captions."""

    family: Literal["blip2"] = "blip2"


class DetectorConfig(WeightsConfig):
    """What detectors can be given besides their weights."""

    box_threshold: float = Field(0.3, ge=0, le=1, description="Least confidence of a box.")
    max_labels_per_prompt: int = Field(12, ge=1, description="Longer lists are asked in chunks.")


class GroundingDinoConfig(DetectorConfig):
    """Grounding DINO: finds objects by name."""

    family: Literal["grounding_dino"] = "grounding_dino"


class GroundingDinoOriginalConfig(DetectorConfig):
    """Grounding DINO by its authors' package groundingdino-py and their `.pth` files."""

    family: Literal["grounding_dino_original"] = "grounding_dino_original"
    dtype: Literal["float32"] = Field("float32", description="Their network knows no other.")
    text_encoder: str = Field(
        "google-bert/bert-base-uncased",
        min_length=1,
        description="For a .pth file: folder or hub id of the BERT whose settings and vocabulary "
        "the network has; BERT's weights are in the file.",
    )
    shortest_edge: int = Field(800, ge=32, description="An image is scaled to this, pixels,")
    longest_edge: int = Field(1333, ge=32, description="but no longer than this.")


class SegmentAnythingConfig(WeightsConfig):
    """Segment Anything: masks from boxes."""

    family: Literal["segment_anything"] = "segment_anything"
    boxes_per_batch: int = Field(64, ge=1, description="Boxes in one pass of the decoder.")


class OpenClipConfig(WeightsConfig):
    """OpenCLIP: image and text embeddings."""

    family: Literal["open_clip"] = "open_clip"


class RulesConfig(BaseModel):
    """The offline rule book: speaks about the words that the micro checkpoints know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["rules"] = "rules"
    checkpoint: str = Field(min_length=1, description=CHECKPOINT)


class OpenAiConfig(BaseModel):
    """Any OpenAI-compatible endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["openai"] = "openai"
    model: str = Field("gpt-3.5-turbo", min_length=1, description="As the endpoint calls it.")
    base_url: str | None = Field(None, description="None: OPENAI_BASE_URL, else api.openai.com.")
    api_key: SecretStr | None = Field(None, description="None: OPENAI_API_KEY.")
    temperature: float = Field(0.0, ge=0, le=2, description="0: the likeliest answer.")
    max_tokens: int = Field(1024, ge=1, description="Longest answer, tokens.")
    timeout_s: float = Field(60.0, gt=0, description="Longest wait for one answer, seconds.")
    max_retries: int = Field(4, ge=0, description="Of one request, on transient faults.")
    max_repairs: int = Field(1, ge=0, description="Times an unusable answer is asked again.")
    reuse_answers: bool = Field(
        default=True, description="Whether a request that was answered before is not sent again."
    )
    prompt_price: float = Field(
        0.0, ge=0, description="Of a million tokens sent, in the currency of the budget."
    )
    completion_price: float = Field(0.0, ge=0, description="Of a million tokens answered.")


FamilyConfig = Annotated[
    StableDiffusionConfig
    | InstructPix2PixConfig
    | BlipConfig
    | Blip2Config
    | GroundingDinoConfig
    | GroundingDinoOriginalConfig
    | SegmentAnythingConfig
    | OpenClipConfig
    | RulesConfig
    | OpenAiConfig,
    Field(discriminator="family"),
]
