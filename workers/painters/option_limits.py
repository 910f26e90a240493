"""Limits of the options of single images, read from a generator's settings without loading it."""

import json
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from pydantic import BaseModel

from chatgenimage.workers.families import find_plugin
from chatgenimage.workers.image_options import OptionLimits
from chatgenimage.workers.painter_config import (
    DiffusionConfig,
    StableDiffusionConfig,
    TextToImageConfig,
)
from chatgenimage.workers.painters.pipelines_table import GENERATING, PipelineRow
from chatgenimage.workers.server_config import OpenAiImagesConfig
from chatgenimage.workers.weights import hub, local_files

SIDE_MULTIPLE_PX = 8
"""Of Stable Diffusion's images."""
LARGEST_MULTIPLE_PX = max(row.side_px for row in GENERATING.values())
"""Every class of the table paints sides that are multiples of it."""
BY_PLUGIN = "option_limits"
"""Method of a plug-in's settings that returns `OptionLimits`."""


@singledispatch
def limits_of(config: BaseModel) -> OptionLimits:
    """Return what a generator can be asked for; of a plug-in that does not say so: nothing."""
    if hasattr(config, BY_PLUGIN):
        limits: OptionLimits = getattr(config, BY_PLUGIN)()
        return limits
    plugin = find_plugin(config)
    name = f"{plugin.name} of the package {plugin.package}" if plugin else type(config).__name__
    why = f"the family {name} has no such option for single images; leave the column out"
    return OptionLimits(painter=name, no_size=why, no_negative_prompt=why)


@limits_of.register
def _of_stable_diffusion(config: StableDiffusionConfig) -> OptionLimits:
    """Return the limits; a distilled or unguided checkpoint has no negative prompt."""
    why = None
    if config.guidance_scale <= 1:
        why = _too_weak(config, "guidance_scale", config.guidance_scale, 1.0)
    elif _read(config, "unet/config.json").get("time_cond_proj_dim"):
        why = f"{config.checkpoint} is distilled and has no negative prompt; leave it out"
    return OptionLimits(
        painter=config.checkpoint,
        size_wh=config.size_wh,
        multiple_px=SIDE_MULTIPLE_PX,
        no_negative_prompt=why,
    )


@limits_of.register
def _of_text_to_image(config: TextToImageConfig) -> OptionLimits:
    """Return the limits of the checkpoint's class; if it is not here, a size that all can paint."""
    name = str(_read(config, "model_index.json").get("_class_name"))
    row = GENERATING.get(name)
    if row is None:
        is_unguided = config.guidance_scale == 0
        return OptionLimits(
            painter=f"{config.checkpoint} (which is not on this machine)",
            size_wh=config.size_wh,
            multiple_px=LARGEST_MULTIPLE_PX,
            no_negative_prompt=_too_weak(config, "guidance_scale", 0, 0) if is_unguided else None,
        )
    return OptionLimits(
        painter=config.checkpoint,
        size_wh=config.size_wh,
        multiple_px=row.side_px,
        no_negative_prompt=_why_no_negative(config, name, row),
    )


@limits_of.register
def _of_server(config: OpenAiImagesConfig) -> OptionLimits:
    unsent = "the profile does not send `size` to this server; set it, or leave the column out"
    return OptionLimits(
        painter=config.model,
        no_size=None if config.size else unsent,
        no_negative_prompt=f"{config.model} on a server takes none; leave it out",
    )


def _why_no_negative(config: TextToImageConfig, name: str, row: PipelineRow) -> str | None:
    if not row.has_negative:
        return f"{name} of {config.checkpoint} has no negative prompt; leave it out"
    strength = row.guidance if config.guidance_scale is None else config.guidance_scale
    if strength <= row.unguided:
        return _too_weak(config, "guidance_scale", strength, row.unguided)
    return None


def _too_weak(config: DiffusionConfig, setting: str, strength: float, unguided: float) -> str:
    return (
        f"{config.checkpoint} is not guided with `{setting}: {strength:g}`; leave it out, or set "
        f"`{setting}` above {unguided:g}"
    )


def _read(config: DiffusionConfig, name: str) -> Mapping[str, Any]:
    """Return a JSON file of a checkpoint; empty if it is not on this machine or cannot be read."""
    path = local_files.find(config)
    if path is not None and path.is_file() and config.settings_of is not None:
        is_fetched = hub.is_hub_id(config.settings_of)
        path = (
            hub.find_fetched(config.settings_of, None, hub.SETTINGS)
            if is_fetched
            else local_files.local_path(config.settings_of)
        )
    try:
        content = json.loads((path / name).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):  # the worker that loads it says what is wrong
        return {}
    return content if isinstance(content, dict) else {}
