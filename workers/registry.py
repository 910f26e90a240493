"""From settings to a loaded family; nothing heavy is imported before it is asked for."""

from typing import assert_never

from workers import config as settings
from workers.interfaces import Family


def load_family(config: settings.FamilyConfig, device: str) -> Family:  # noqa: PLR0911 (one each)
    """Return the family that `config` describes, ready on `device`.

    Args:
        config: Its class chooses the family.
        device: As torch names it, e.g. "cpu" or "cuda:0"; language models have none.

    Raises:
        CheckpointNotFound: If there are no weights.
        CheckpointBroken: If they do not load.
    """
    match config:
        case settings.StableDiffusionConfig():
            from workers.stable_diffusion import StableDiffusion

            return StableDiffusion.load(config, device)
        case settings.InstructPix2PixConfig():
            from workers.instruct_pix2pix import InstructPix2Pix

            return InstructPix2Pix.load(config, device)
        case settings.Blip2Config():
            from workers.blip2 import Blip2

            return Blip2.load(config, device)
        case settings.GroundingDinoConfig():
            from workers.grounding_dino import GroundingDino

            return GroundingDino.load(config, device)
        case settings.SegmentAnythingConfig():
            from workers.sam import SegmentAnything

            return SegmentAnything.load(config, device)
        case settings.OpenClipConfig():
            from workers.open_clip_encoder import OpenClip

            return OpenClip.load(config, device)
        case settings.RulesConfig():
            from workers.rules import Rules

            return Rules.load(config)
        case settings.OpenAiConfig():
            from workers.openai_llm import OpenAiLanguageModel

            return OpenAiLanguageModel.load(config)
        case _:
            assert_never(config)
