"""Loading of diffusion pipelines: from a folder in the hub's layout or from a single file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import transformers
from diffusers import DiffusionPipeline
from diffusers.loaders.single_file_utils import SingleFileComponentError

from chatgenimage.workers.config import DiffusionConfig
from chatgenimage.workers.device import to_dtype
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.weights import local_files

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)

INDEX_FILE = "model_index.json"
WITHOUT_CHECKER = {
    "safety_checker": None,
    "feature_extractor": None,
    "requires_safety_checker": False,
}


def load_pipeline(
    kind: Any,  # noqa: ANN401 (a pipeline class, or an AutoPipeline that chooses one)
    config: DiffusionConfig,
    path: Path,
    device: str,
) -> Any:  # noqa: ANN401 (as above)
    """Return a pipeline ready on `device`, without progress bars and safety checker.

    Args:
        kind: A pipeline class, or one of diffusers' AutoPipelines.
        config: The checkpoint, its precision, its LoRA weights and memory options.
        path: The checkpoint: a folder, or a `.safetensors` file.
        device: As torch names it.

    Raises:
        CheckpointBroken: If anything is missing or does not load.
        CheckpointNotFound: If LoRA weights or the settings of a single file do not exist.
    """
    adapters = local_files.locate_adapters(config)
    with local_files.loading(config.checkpoint):
        pipeline = (
            _from_file(kind, config, path) if path.is_file() else _from_folder(kind, config, path)
        )
        _fuse(pipeline, adapters, config.lora_scale)
        _place(pipeline, config, device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _from_folder(kind: Any, config: DiffusionConfig, path: Path) -> Any:  # noqa: ANN401
    settings = {"dtype": to_dtype(config.dtype), "use_safetensors": True}
    index = json.loads((path / INDEX_FILE).read_text(encoding="utf-8"))
    for name in (name for name in index if name.startswith("tokenizer")):
        local_files.refuse_wordless(path / name)
    encoders = {
        name: _load_text_encoder(path, name, part[1], settings)
        for name, part in index.items()
        if name.startswith("text_encoder") and part[0] == "transformers"
    }
    checker = WITHOUT_CHECKER if "safety_checker" in index else {}
    return kind.from_pretrained(path, **encoders, **checker, **settings)


def _load_text_encoder(path: Path, name: str, kind: str, settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return a text encoder; the pipeline would not report which of its weights are missing."""
    encoder, report = getattr(transformers, kind).from_pretrained(
        path, subfolder=name, output_loading_info=True, **settings
    )
    local_files.refuse_missing(report["missing_keys"])
    return encoder


def _from_file(kind: Any, config: DiffusionConfig, path: Path) -> Any:  # noqa: ANN401
    """Return the pipeline of one `.safetensors` file, the usual form for shared weights.

    Such a file contains only weights; vocabulary, scheduler and shapes come from `settings_of`.
    """
    if config.settings_of is None:
        raise CheckpointBroken(
            f"{path} is a single file, without vocabulary and scheduler; name the "
            "checkpoint that it was made from in `settings_of`, e.g. "
            "stable-diffusion-v1-5/stable-diffusion-v1-5."
        )
    source = str(local_files.locate_settings(config.settings_of))
    dtype = to_dtype(config.dtype)
    try:
        pipeline = kind.from_single_file(str(path), config=source, torch_dtype=dtype)
        return pipeline.to("cpu")  # fails if some weights were not in the file
    except (SingleFileComponentError, NotImplementedError) as error:
        raise CheckpointBroken(
            f"{path} lacks weights: a single file must hold the whole denoiser, autoencoder and "
            f"text encoder of {config.settings_of}. Fetch it again, or name another; weights of a "
            "LoRA are named in `lora`."
        ) from error


def _fuse(pipeline: Any, adapters: Sequence[Path], scale: float) -> None:  # noqa: ANN401
    """Add LoRA weights to the pipeline's own weights permanently."""
    for path in adapters:
        pipeline.load_lora_weights(str(path))
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()


def _place(pipeline: Any, config: DiffusionConfig, device: str) -> None:  # noqa: ANN401
    """Move the pipeline to the device, or set up offloading."""
    if config.offload == "none" or device == "cpu":
        pipeline.to(device)
    elif config.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
    if config.compile:
        pipeline.unet.compile()
