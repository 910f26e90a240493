"""What Stable Diffusion and InstructPix2Pix load alike."""

from pathlib import Path
from typing import TypeVar

from diffusers import DiffusionPipeline
from transformers import CLIPTextModel

from workers import weights
from workers.config import WeightsConfig
from workers.device import to_dtype

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)


def load_pipeline(kind: type[Pipeline], config: WeightsConfig, path: Path, device: str) -> Pipeline:
    """Return a pipeline ready on `device`, without progress bars and safety checker.

    Args:
        kind: A Stable Diffusion pipeline class with one CLIP text encoder.
        config: Names the checkpoint and its precision.
        path: Where the checkpoint lies.
        device: As torch names it.

    Raises:
        CheckpointBroken: If anything is missing or does not load.
    """
    settings = {"dtype": to_dtype(config.dtype), "use_safetensors": True}
    with weights.loading(config.checkpoint):
        weights.refuse_wordless(path / "tokenizer")
        # Loaded apart, because the pipeline would not tell which of its weights are missing.
        text_encoder, report = CLIPTextModel.from_pretrained(
            path, subfolder="text_encoder", output_loading_info=True, **settings
        )
        weights.refuse_missing(report["missing_keys"])
        pipeline: Pipeline = kind.from_pretrained(
            path,
            text_encoder=text_encoder,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **settings,
        )
        pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
