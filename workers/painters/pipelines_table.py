"""Table of pipeline classes: what differs between the painters that diffusers has.

A row is all that a new model needs, unless its class is unlike all others. Each row was run with
tiny random weights in its published layout (docs/models.md). Lengths and sizes are from the code of
the classes, strengths of guidance are its defaults.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

CHAT = "<|im_start|>user\n"
FLUX_2 = (
    "[SYSTEM_PROMPT]You are an AI that reasons about image descriptions. You give structured "
    "responses focusing on object relationships, object\nattribution and actions without "
    "speculation.[/SYSTEM_PROMPT][INST]"
)
LUMINA = (
    "You are an assistant designed to generate superior images with the superior degree of "
    "image-text alignment based on textual prompts or user prompts. <Prompt Start> "
)
MEGAPIXEL = 1024 * 1024
STEPS_OF_SPRINT = 2
ABOVE_ONE = math.nextafter(1, 2)
"""At exactly 1, InstructPix2Pix leaves out guidance by the image too."""

Sizing = Callable[[int, int], dict[str, Any]]
"""Returns the arguments about the size of the result, from (height, width)."""


def always(_pipeline: Any) -> bool:  # noqa: ANN401 (any pipeline)
    """Return True: the class can, whatever the checkpoint."""
    return True


def never(_pipeline: Any) -> bool:  # noqa: ANN401 (any pipeline)
    """Return False: the class cannot."""
    return False


def has_guidance_input(pipeline: Any) -> bool:  # noqa: ANN401 (a pipeline of FLUX.1)
    """Return whether guidance is an input of the network; FLUX.1 schnell has none."""
    return bool(pipeline.transformer.config.guidance_embeds)


def is_not_distilled(pipeline: Any) -> bool:  # noqa: ANN401 (a pipeline of FLUX.2 Klein)
    """Return whether the checkpoint is guided; distilled ones are not."""
    return not pipeline.config.is_distilled


def puts_outside_back(pipeline: Any) -> bool:  # noqa: ANN401 (a pipeline of Stable Diffusion)
    """Return whether the outside is put back at each step, instead of being an input."""
    return bool(pipeline.unet.config.in_channels == pipeline.vae.config.latent_channels)


def by_sides(height: int, width: int) -> dict[str, Any]:
    """Return height and width."""
    return {"height": height, "width": width}


def by_sides_without_bins(height: int, width: int) -> dict[str, Any]:
    """Return height and width as they are: by itself Sana paints one of its own sizes."""
    return {"height": height, "width": width, "use_resolution_binning": False}


def by_sides_uncleaned(height: int, width: int) -> dict[str, Any]:
    """Return the same for PixArt, which also rewrites prompts if another package is installed."""
    return by_sides_without_bins(height, width) | {"clean_caption": False}


def by_area(height: int, width: int) -> dict[str, Any]:
    """Return height and width as they are: by itself Kontext paints one of its own sizes."""
    sides = {"height": height, "width": width}
    return sides | {"max_area": height * width, "_auto_resize": False}


def by_sides_as_written(height: int, width: int) -> dict[str, Any]:
    """Return height and width: by itself LongCat lets its language model rewrite prompts."""
    return {"height": height, "width": width, "enable_prompt_rewrite": False}


def as_many_steps(count: int) -> dict[str, Any]:
    """Return the number of steps."""
    return {"num_inference_steps": count}


def as_many_steps_of_sprint(count: int) -> dict[str, Any]:
    """Return the number of steps; the noise of the middle is published for two of them alone."""
    in_between = {} if count == STEPS_OF_SPRINT else {"intermediate_timesteps": None}
    return as_many_steps(count) | in_between


def by_image(_height: int, _width: int) -> dict[str, Any]:
    """Return nothing: the class decides the size by the image."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRow:
    """What differs of a pipeline class; as a row of its own, one that generates.

    Attributes:
        guidance: Default strength of guidance by the prompt.
        guided_by: Name of the argument for it.
        is_guided: Whether a loaded checkpoint is guided at all.
        has_negative: Whether there is a negative prompt.
        empty_negative: What is passed for an empty one; None: nothing.
        side_px: Both sides of an image are multiples of it.
        most_tokens: Longest text that is read, `before` included; None: CLIP's, in chunks.
        fails_if_longer: Whether the class raises an error for a longer one.
        before: Words that the class puts before a prompt.
        sizing: Arguments about the size of the result.
        stepping: Arguments about the number of steps.
        filler: Class that fills with the same parts; None: there is none.
        least_guidance: Weaker guidance is made so strong.
        unguided: Up to this strength nothing is guided, and a negative prompt is not read.
    """

    guidance: float
    guided_by: str = "guidance_scale"
    is_guided: Callable[[Any], bool] = always
    has_negative: bool = True
    empty_negative: str | None = None
    side_px: int = 16
    most_tokens: int | None = 512
    fails_if_longer: bool = False
    before: str = ""
    sizing: Sizing = by_sides
    stepping: Callable[[int], dict[str, Any]] = as_many_steps
    filler: str | None = None
    least_guidance: float = 0.0
    unguided: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow(PipelineRow):
    """What differs of a pipeline class that fills.

    Attributes:
        strength: Default share of noise that a fill begins with.
        may_change_mask: Whether a callback may change a loaded checkpoint's mask between steps.
        most_px: Most pixels that are painted; larger images are made smaller for it.
    """

    strength: float = 1.0
    may_change_mask: Callable[[Any], bool] = never
    most_px: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRow(PipelineRow):
    """What differs of a pipeline class that edits by instruction.

    Attributes:
        side_of_area_px: Images with more pixels than its square are edited at about so many.
        takes_batches: Whether several images can be passed in one call, as a tensor, each with its
            prompt; else one of PIL's is.
        image_guidance: Default strength of guidance by the image; None: there is none.
    """

    side_of_area_px: int = 1024
    takes_batches: bool = False
    image_guidance: float | None = None


STABLE_DIFFUSION: dict[str, Any] = {"guidance": 7.5, "side_px": 8, "most_tokens": None}
STABLE_DIFFUSION_XL = STABLE_DIFFUSION | {"guidance": 5.0}
STABLE_DIFFUSION_3: dict[str, Any] = {"guidance": 7.0, "most_tokens": 256}
FLUX: dict[str, Any] = {"is_guided": has_guidance_input, "has_negative": False}
KLEIN: dict[str, Any] = {"is_guided": is_not_distilled, "has_negative": False, "before": CHAT}
QWEN: dict[str, Any] = {"guidance": 4.0, "guided_by": "true_cfg_scale", "empty_negative": " "}
LONGCAT: dict[str, Any] = {"guidance": 4.5, "fails_if_longer": True}
Z_IMAGE: dict[str, Any] = {"guidance": 5.0, "before": CHAT, "unguided": 0.0}

GENERATING: Mapping[str, PipelineRow] = {
    "StableDiffusionPipeline": PipelineRow(
        **STABLE_DIFFUSION, filler="StableDiffusionInpaintPipeline"
    ),
    "StableDiffusionXLPipeline": PipelineRow(
        **STABLE_DIFFUSION_XL, filler="StableDiffusionXLInpaintPipeline"
    ),
    "StableDiffusion3Pipeline": PipelineRow(
        **STABLE_DIFFUSION_3, filler="StableDiffusion3InpaintPipeline"
    ),
    "FluxPipeline": PipelineRow(**FLUX, guidance=3.5, filler="FluxInpaintPipeline"),
    "Flux2Pipeline": PipelineRow(guidance=4.0, has_negative=False, before=FLUX_2),
    "Flux2KleinPipeline": PipelineRow(**KLEIN, guidance=4.0, filler="Flux2KleinInpaintPipeline"),
    "QwenImagePipeline": PipelineRow(**QWEN, filler="QwenImageInpaintPipeline"),
    "ZImagePipeline": PipelineRow(**Z_IMAGE, filler="ZImageInpaintPipeline"),
    "SanaPipeline": PipelineRow(
        guidance=4.5, side_px=32, most_tokens=299, sizing=by_sides_without_bins
    ),
    "SanaSprintPipeline": PipelineRow(
        guidance=4.5,
        has_negative=False,
        side_px=32,
        most_tokens=299,
        sizing=by_sides_without_bins,
        stepping=as_many_steps_of_sprint,
    ),
    "ChromaPipeline": PipelineRow(guidance=5.0),
    "PixArtSigmaPipeline": PipelineRow(guidance=4.5, most_tokens=300, sizing=by_sides_uncleaned),
    "AuraFlowPipeline": PipelineRow(guidance=3.5, most_tokens=256),
    "Lumina2Pipeline": PipelineRow(guidance=4.0, most_tokens=256, before=LUMINA),
    "LongCatImagePipeline": PipelineRow(**LONGCAT, sizing=by_sides_as_written),
}
"""Classes that generate, as named in the `model_index.json` of their checkpoints."""

FILLING: Mapping[str, FillRow] = {
    "StableDiffusionInpaintPipeline": FillRow(
        **STABLE_DIFFUSION, may_change_mask=puts_outside_back
    ),
    "StableDiffusionXLInpaintPipeline": FillRow(
        **STABLE_DIFFUSION_XL, may_change_mask=puts_outside_back, strength=0.9999
    ),
    "StableDiffusion3InpaintPipeline": FillRow(**STABLE_DIFFUSION_3),
    "FluxInpaintPipeline": FillRow(**FLUX, guidance=7.0),
    "FluxFillPipeline": FillRow(**FLUX, guidance=30.0),
    "FluxKontextInpaintPipeline": FillRow(**FLUX, guidance=3.5, sizing=by_area),
    "Flux2KleinInpaintPipeline": FillRow(**KLEIN, guidance=8.0, most_px=MEGAPIXEL),
    "QwenImageInpaintPipeline": FillRow(**QWEN),
    "ZImageInpaintPipeline": FillRow(**Z_IMAGE, may_change_mask=always),
}
"""Classes that fill; a checkpoint of a class that generates or edits is opened by its `filler`."""

EDITING: Mapping[str, EditRow] = {
    "StableDiffusionInstructPix2PixPipeline": EditRow(
        **STABLE_DIFFUSION,
        side_of_area_px=512,
        takes_batches=True,
        image_guidance=1.5,
        least_guidance=ABOVE_ONE,
        sizing=by_image,
    ),
    "FluxKontextPipeline": EditRow(
        **FLUX,
        guidance=3.5,
        sizing=by_area,
        takes_batches=True,
        filler="FluxKontextInpaintPipeline",
    ),
    "Flux2Pipeline": EditRow(guidance=4.0, has_negative=False, before=FLUX_2),
    "Flux2KleinPipeline": EditRow(**KLEIN, guidance=4.0, filler="Flux2KleinInpaintPipeline"),
    "QwenImageEditPipeline": EditRow(**QWEN),
    "QwenImageEditPlusPipeline": EditRow(**QWEN),
    "LongCatImageEditPipeline": EditRow(**LONGCAT, sizing=by_image),
}
"""Classes that edit by instruction."""
