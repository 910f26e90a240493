"""From settings to a loaded family; nothing heavy is imported before it is asked for."""

from importlib import import_module
from typing import Any

from workers import config as settings
from workers.interfaces import AnswerMemory, Family

FAMILIES: dict[type, tuple[str, str]] = {
    settings.StableDiffusionConfig: ("stable_diffusion", "StableDiffusion"),
    settings.InstructPix2PixConfig: ("instruct_pix2pix", "InstructPix2Pix"),
    settings.BlipConfig: ("blip", "Blip"),
    settings.Blip2Config: ("blip", "Blip"),
    settings.GroundingDinoConfig: ("grounding_dino", "GroundingDino"),
    settings.SegmentAnythingConfig: ("sam", "SegmentAnything"),
    settings.OpenClipConfig: ("open_clip_encoder", "OpenClip"),
    settings.RulesConfig: ("rules", "Rules"),
    settings.OpenAiConfig: ("openai_llm", "OpenAiLanguageModel"),
}
"""The module and the class of each family, by its settings."""


def load_family(
    config: settings.FamilyConfig, device: str, memory: AnswerMemory | None = None
) -> Family:
    """Return the family that `config` describes, ready on `device`.

    Args:
        config: Its class chooses the family.
        device: As torch names it, e.g. "cpu" or "cuda:0"; language models have none.
        memory: Where a language model that costs money keeps its answers.

    Raises:
        CheckpointNotFound: If there are no weights.
        CheckpointBroken: If they do not load.
    """
    module, name = FAMILIES[type(config)]
    family: Any = getattr(import_module(f"workers.{module}"), name)
    loaded: Family
    match config:
        case settings.RulesConfig():
            loaded = family.load(config)
        case settings.OpenAiConfig():
            loaded = family.load(config, memory)
        case _:
            loaded = family.load(_settled(config, device), device)
    return loaded


def _settled(config: settings.WeightsConfig, device: str) -> settings.WeightsConfig:
    """Return the settings with the precision that suits the device, if that was left open."""
    if config.dtype != "auto":
        return config
    dtype = "float16" if device.startswith("cuda") else "float32"
    return config.model_copy(update={"dtype": dtype})
