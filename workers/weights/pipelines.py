"""Loading of diffusion pipelines: from a folder in the hub's layout or from a single file."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from diffusers.loaders.lora_base import LORA_WEIGHT_NAME_SAFE
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from safetensors import safe_open

from chatgenimage.workers.device import to_dtype
from chatgenimage.workers.errors import CheckpointBroken, PackageMissing
from chatgenimage.workers.painter_config import DiffusionConfig
from chatgenimage.workers.weights import local_files

COMPILERS = ("gcc", "g++", "clang", "cc")
INDEX_FILE = "model_index.json"
MOST_TOKENS = 10**9
"""A longer text means that the tokenizer's files do not name the longest one."""
NO_LORA = ("scheduler", "optimizer", "checkpoint")
"""Parts of the names of files that a training leaves next to its LoRA."""
V_PREDICTION, ZERO_SNR = "v_pred", "ztsnr"
"""Names of empty weights in a single file: it predicts velocity; its last step is pure noise."""
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
    """Return a pipeline ready on `device`, without progress bars.

    Args:
        kind: A pipeline class, or one of diffusers' AutoPipelines.
        config: The checkpoint, its precision, its LoRA weights and memory options.
        path: The checkpoint: a folder, or a `.safetensors` file.
        device: As torch names it.

    Raises:
        CheckpointBroken: If anything is missing or does not load.
        CheckpointNotFound: If LoRA weights or the settings of a single file do not exist.
        PackageMissing: If it is to be compiled without a C compiler.
    """
    if config.compile and not any(map(shutil.which, COMPILERS)):
        raise PackageMissing(
            "`compile` needs a C compiler, and this machine has none. Install one (Debian: "
            "apt-get install g++), or delete `compile` from the profile."
        )
    adapters = local_files.locate_adapters(config)
    with local_files.loading(config.checkpoint):
        pipeline = (
            _from_file(kind, config, path) if path.is_file() else _from_folder(kind, config, path)
        )
        _limit_tokens(pipeline)
        _read_special_words_as_text(pipeline)
        _fuse(pipeline, adapters, config.lora_scale)
        _place(pipeline, config, device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _from_folder(kind: Any, config: DiffusionConfig, path: Path) -> Any:  # noqa: ANN401
    """Return a pipeline of a class from a folder in diffusers' layout.

    Raises:
        CheckpointBroken: If a part is missing, or a setting does not fit the folder.
    """
    settings = {
        "dtype": to_dtype(config.dtype),
        "use_safetensors": True,
        "variant": config.variant,
    }
    index = read_index(path)
    _refuse_unset_variant(config, path)
    if config.safety_checker and not (index.get("safety_checker") or [None])[0]:
        raise CheckpointBroken(f"{path} has no safety checker; delete `safety_checker`.")
    for name, part in index.items():
        if name.startswith("tokenizer") and part[0] is not None:  # null: an optional part
            local_files.refuse_wordless(path / name)
    encoders = {
        name: _load_whole(getattr(transformers, part[1]), path, name, settings)
        for name, part in index.items()
        if name.startswith("text_encoder") and part[0] == "transformers"
    }
    checker = WITHOUT_CHECKER if "safety_checker" in index else {}
    if config.safety_checker:
        whole = _load_whole(StableDiffusionSafetyChecker, path, "safety_checker", settings)
        checker = {"safety_checker": whole}
    return kind.from_pretrained(path, **encoders, **checker, **settings)


def read_index(folder: Path) -> dict[str, Any]:
    """Return what a folder in the hub's layout of pipelines says about its parts.

    Raises:
        CheckpointBroken: If it is not such a folder; the message says what it seems to be.
    """
    file = folder / INDEX_FILE
    if not file.is_file():
        raise CheckpointBroken(
            f"{folder} has no {INDEX_FILE}: it is not a pipeline. {_hint(folder)}"
        )
    index = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(index, dict):
        raise CheckpointBroken(f"{file} is not a JSON object. Fetch the checkpoint again.")
    return index


def _hint(folder: Path) -> str:
    """Return what to do with a folder that is not a pipeline."""
    inner = next((file.parent for file in sorted(folder.glob(f"*/{INDEX_FILE}"))), None)
    if inner is not None:
        return f"Name its folder {inner} as the checkpoint."
    single = sorted(file.name for file in folder.glob("*.safetensors"))
    if (folder / "config.json").is_file():
        return (
            "Its config.json is that of one network: name the folder of the whole pipeline, or a "
            "family for such a network."
        )
    if single:
        return (
            f"To use a single file, name it as the checkpoint ({folder / single[0]}) and the "
            "checkpoint that it was made from in `settings_of`."
        )
    return (
        "Name the folder that has the file and the parts (text encoder, denoiser, autoencoder), or "
        "download the whole repository."
    )


def _refuse_unset_variant(config: DiffusionConfig, path: Path) -> None:
    files = local_files.weights_in(path)
    if config.variant is None and all(".fp16" in file.name for file in files):
        raise CheckpointBroken(
            f"{path} has its weights in half precision only; set `variant: fp16`."
        )


def _load_whole(kind: Any, path: Path, name: str, settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return a part of transformers; the pipeline would not report its missing weights."""
    part, report = kind.from_pretrained(path, subfolder=name, output_loading_info=True, **settings)
    local_files.refuse_missing(report["missing_keys"])
    return part


def _from_file(kind: Any, config: DiffusionConfig, path: Path) -> Any:  # noqa: ANN401
    """Return the pipeline of one `.safetensors` file, the usual form for shared weights.

    Such a file contains only weights; vocabulary, scheduler and shapes come from `settings_of`.
    """
    if config.safety_checker:
        raise CheckpointBroken(f"{path} has no safety checker; delete `safety_checker`.")
    source = str(settings_folder(config, path))
    dtype = to_dtype(config.dtype)
    try:
        pipeline = kind.from_single_file(str(path), config=source, torch_dtype=dtype)
        pipeline.to("cpu")  # fails if some weights were not in the file
    except (SingleFileComponentError, NotImplementedError) as error:
        raise CheckpointBroken(
            f"{path} lacks weights: a single file must hold the whole denoiser, autoencoder and "
            f"text encoder of {config.settings_of}. Fetch it again, or name another; weights of a "
            "LoRA are named in `lora`."
        ) from error
    _set_prediction(pipeline, path)
    return pipeline


def settings_folder(config: DiffusionConfig, path: Path) -> Path:
    """Return the folder with the settings and the vocabulary of a single file.

    Raises:
        CheckpointBroken: If the profile names none.
        CheckpointNotFound: If it does not exist.
    """
    if config.settings_of is None:
        raise CheckpointBroken(
            f"{path} is a single file, without vocabulary and scheduler; name the "
            "checkpoint that it was made from in `settings_of`, e.g. "
            "stable-diffusion-v1-5/stable-diffusion-v1-5."
        )
    return local_files.locate_settings(config.settings_of)


def _set_prediction(pipeline: Any, path: Path) -> None:  # noqa: ANN401 (any pipeline)
    """Set the scheduler as a single file declares it: by names of empty weights, as trainers do."""
    with safe_open(path, "pt") as file:
        declared = {V_PREDICTION, ZERO_SNR} & set(file.keys())
    if not declared:
        return
    settings: dict[str, Any] = {"prediction_type": "v_prediction"}
    if ZERO_SNR in declared:
        settings |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    scheduler = pipeline.scheduler
    if missing := settings.keys() - scheduler.config.keys():
        raise CheckpointBroken(
            f"{path} was trained for v-prediction ({', '.join(sorted(declared))}), and the "
            f"scheduler {type(scheduler).__name__} of `settings_of` lacks {', '.join(missing)}. "
            "Name a checkpoint with another scheduler, e.g. EulerDiscreteScheduler, there."
        )
    pipeline.scheduler = type(scheduler).from_config(scheduler.config, **settings)


def _fuse(pipeline: Any, adapters: Sequence[Path], scale: float) -> None:  # noqa: ANN401
    """Add LoRA weights to the pipeline's own weights permanently."""
    for path in adapters:
        _refuse_several(path)
        pipeline.load_lora_weights(str(path))
        if not pipeline.get_list_adapters():
            raise CheckpointBroken(
                f"the LoRA {path} fits no layer of this checkpoint; it was made for another "
                "architecture. Delete it from `lora`, or name another checkpoint."
            )
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()


def _refuse_several(path: Path) -> None:
    """Raise CheckpointBroken for a folder of LoRA files of which diffusers would take any one."""
    names = [file.name for file in path.glob("*.safetensors")] if path.is_dir() else []
    names = [name for name in names if not any(word in name for word in NO_LORA)]
    if len(names) > 1 and not any(name.endswith(LORA_WEIGHT_NAME_SAFE) for name in names):
        raise CheckpointBroken(
            f"{path} has {len(names)} LoRA files: {', '.join(sorted(names))}. Name one of them in "
            f"`lora`, e.g. {path / min(names)}."
        )


def _limit_tokens(pipeline: Any) -> None:  # noqa: ANN401 (any pipeline)
    """Set the longest text of tokenizers whose files do not name it: what the encoder can read."""
    for name in [name for name in pipeline.components if name.startswith("tokenizer")]:
        tokenizer: Any = getattr(pipeline, name)
        encoder: Any = getattr(pipeline, name.replace("tokenizer", "text_encoder"), None)
        longest = getattr(getattr(encoder, "config", None), "max_position_embeddings", None)
        if tokenizer and longest and getattr(tokenizer, "model_max_length", 0) > MOST_TOKENS:
            tokenizer.model_max_length = longest


def _read_special_words_as_text(pipeline: Any) -> None:  # noqa: ANN401 (any pipeline)
    """Set CLIP's tokenizers to read special words in a prompt as text.

    Padding is "!" in Stable Diffusion 2 and for SDXL's second encoder, which would otherwise get
    padding for each exclamation mark.
    """
    for part in pipeline.components.values():
        if isinstance(part, transformers.CLIPTokenizer):
            part.split_special_tokens = True


def _place(pipeline: Any, config: DiffusionConfig, device: str) -> None:  # noqa: ANN401
    """Move the pipeline to the device, or set up offloading."""
    if config.offload == "none" or device == "cpu":
        pipeline.to(device)
    elif config.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
    if config.compile:
        _denoiser_of(pipeline).compile()


def _denoiser_of(pipeline: Any) -> Any:  # noqa: ANN401 (any pipeline)
    return getattr(pipeline, "unet", None) or pipeline.transformer
