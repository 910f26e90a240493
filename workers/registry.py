"""Registry: load a family from its settings; heavy packages are imported only when needed."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from chatgenimage.workers import config as settings
from chatgenimage.workers import painter_config, server_config, vision_config
from chatgenimage.workers.device import settle_dtype
from chatgenimage.workers.errors import PackageMissing
from chatgenimage.workers.families import LOADS, find_plugin
from chatgenimage.workers.interfaces import Family, ImageCache
from chatgenimage.workers.plugins import Plugin
from chatgenimage.workers.weights_config import WeightsConfig

FAMILIES: dict[type, tuple[str, str]] = {
    painter_config.StableDiffusionConfig: ("stable_diffusion", "StableDiffusion"),
    painter_config.InstructPix2PixConfig: ("instruct_pix2pix", "InstructPix2Pix"),
    painter_config.TextToImageConfig: ("painters.text_to_image", "TextToImage"),
    painter_config.InpaintConfig: ("painters.inpaint", "Inpaint"),
    painter_config.InstructionEditConfig: ("painters.instruction_edit", "InstructionEdit"),
    settings.BlipConfig: ("blip", "Blip"),
    settings.Blip2Config: ("blip", "Blip"),
    settings.GroundingDinoConfig: ("grounding_dino", "GroundingDino"),
    settings.GroundingDinoOriginalConfig: ("grounding_dino_original", "GroundingDinoOriginal"),
    settings.SegmentAnythingConfig: ("sam", "SegmentAnything"),
    settings.OpenClipConfig: ("open_clip_encoder", "OpenClip"),
    vision_config.ZeroShotDetectorConfig: ("vision.zero_shot_detector", "ZeroShotDetector"),
    vision_config.MaskGeneratorConfig: ("vision.mask_generator", "MaskGenerator"),
    vision_config.VisionLanguageConfig: ("vision.vision_language", "VisionLanguage"),
    vision_config.SimilarityConfig: ("vision.similarity", "Similarity"),
    vision_config.Sam3Config: ("vision.sam3", "Sam3"),
    settings.RulesConfig: ("llm.rules", "Rules"),
    server_config.OpenAiConfig: ("llm.openai", "OpenAiLanguageModel"),
    server_config.OpenAiImagesConfig: ("openai_images", "OpenAiImages"),
    server_config.OpenAiVisionConfig: ("openai_vision", "OpenAiVision"),
}
"""Module and class of each family, by its settings class."""
EXTRAS: dict[type, str] = {settings.GroundingDinoOriginalConfig: "groundingdino"}
"""Extra of pyproject.toml that installs a family's packages, if it is not "gpu"."""
WEIGHTS_PACKAGES = ("torch", "transformers", "diffusers", "open_clip", "safetensors")
SERVER_PACKAGES = ("openai",)
OWN_PACKAGES: dict[type, tuple[str, ...]] = {
    server_config.OpenAiConfig: ("openai",),
    server_config.OpenAiImagesConfig: ("openai",),
    server_config.OpenAiVisionConfig: ("openai",),
    settings.GroundingDinoOriginalConfig: (*WEIGHTS_PACKAGES, "groundingdino"),
}
"""Top-level modules that a family imports, if they are not those of all models with weights."""


def load_family(
    config: settings.FamilyConfig, device: str, memory: ImageCache | None = None
) -> Family:
    """Return the family that `config` describes, ready on `device`.

    Args:
        config: Settings; their class decides the family.
        device: As torch names it, e.g. "cpu" or "cuda:0"; models on a server have none.
        memory: Cache of the answers of models that cost money.

    Raises:
        PackageMissing: If a package that the family needs is not installed.
        CheckpointNotFound: If there are no weights.
        CheckpointBroken: If they do not load.
    """
    family = _class_of(config)
    loaded: Family
    match config:
        case settings.RulesConfig():
            loaded = family.load(config)
        case server_config.ServerConfig():
            loaded = family.load(config, memory)
        case _:
            loaded = family.load(_settled(config, device), device)
    return loaded


def _settled(config: settings.FamilyConfig, device: str) -> settings.FamilyConfig:
    """Return the settings with a precision for the device in place of `auto`."""
    if not isinstance(config, WeightsConfig):
        return config
    return config.model_copy(update={"dtype": settle_dtype(config.dtype, device, config.HALF)})


def missing_packages(config: settings.FamilyConfig) -> tuple[list[str], str]:
    """Return the modules that a family needs and this Python lacks, and the extra that has them.

    Nothing is imported: that takes seconds.
    """
    usual: tuple[str, ...] = WEIGHTS_PACKAGES if isinstance(config, WeightsConfig) else ()
    if isinstance(config, server_config.ServerConfig):
        usual = SERVER_PACKAGES
    needed = OWN_PACKAGES.get(type(config), usual)
    missing = [name for name in needed if find_spec(name) is None]
    return missing, EXTRAS.get(type(config), "gpu")


def _class_of(config: settings.FamilyConfig) -> Any:  # noqa: ANN401  (a class of any family)
    """Return the class of a family; its module is imported only now.

    Raises:
        PackageMissing: If a package that it imports is not installed.
    """
    if plugin := find_plugin(config):
        return _class_of_plugin(plugin)
    module, name = FAMILIES[type(config)]
    try:
        return getattr(import_module(f"chatgenimage.workers.{module}"), name)
    except ImportError as error:
        extra = EXTRAS.get(type(config), "gpu")
        raise PackageMissing(
            f"the family {config.family} cannot be imported ({error}); "
            f"install its packages with `pip install '.[{extra}]'`."
        ) from error


def _class_of_plugin(plugin: Plugin) -> Any:  # noqa: ANN401  (a class of any family)
    module, _, name = getattr(plugin.value, LOADS).partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PackageMissing(
            f"the family {plugin.name} cannot be imported ({error}); it is offered by the package "
            f"{plugin.package} {plugin.version}: install what it needs, or correct it."
        ) from error
