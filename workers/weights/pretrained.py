"""Loading of models of the transformers package."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chatgenimage.workers.device import to_dtype
from chatgenimage.workers.errors import CheckpointBroken, PackageMissing
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights_config import WeightsConfig


def load_pretrained(
    model_kind: Any,  # noqa: ANN401 (a model class)
    processor_kind: Any,  # noqa: ANN401 (a processor class)
    config: WeightsConfig,
    path: Path,
    device: str,
) -> tuple[Any, Any]:
    """Return a model ready on `device`, and its processor.

    Raises:
        CheckpointBroken: If the checkpoint is of another architecture, a weight or the vocabulary
            is missing, or anything does not load.
    """
    with local_files.loading(config.checkpoint):
        refuse_other_architectures(path, [model_kind.config_class.model_type])
        local_files.refuse_wordless(path)
        return load_model(model_kind, config, path, device), processor_kind.from_pretrained(path)


def load_model(
    model_kind: Any,  # noqa: ANN401 (a model class, or an auto class)
    config: WeightsConfig,
    path: Path,
    device: str,
) -> Any:  # noqa: ANN401 (a network)
    """Return a model ready on `device`.

    Raises:
        CheckpointBroken: If a weight is missing or has no place.
        PackageMissing: If the network needs another package.
    """
    with _naming_packages(config.checkpoint):
        model, report = model_kind.from_pretrained(
            path,
            dtype=to_dtype(config.dtype),
            use_safetensors=True,
            output_loading_info=True,
            trust_remote_code=False,
        )
    local_files.refuse_missing(report["missing_keys"])
    local_files.refuse_unexpected(report["unexpected_keys"])
    return model.to(device).eval()


def load_processor(
    kind: Any,  # noqa: ANN401 (a processor class, or the auto class)
    config: WeightsConfig,
    path: Path,
) -> Any:  # noqa: ANN401 (a processor)
    """Return a checkpoint's processor.

    Raises:
        PackageMissing: If it needs another package.
    """
    with _naming_packages(config.checkpoint):
        return kind.from_pretrained(path, trust_remote_code=False)


OF_VISION = ("num2words", "protobuf", "sentencepiece")
"""Packages of the extra `vision`, as transformers names them."""
INSTALL_VISION = "pip install 'chatgenimage-factory[vision]'"


@contextmanager
def _naming_packages(checkpoint: str) -> Iterator[None]:
    """Convert an ImportError of transformers to PackageMissing; it names the package."""
    try:
        yield
    except ImportError as error:
        said = " ".join(str(error).split())
        found = [name for name in OF_VISION if name in said.lower()]
        remedy = f" Install it: {INSTALL_VISION}" if found else ""
        raise PackageMissing(
            f"the checkpoint {checkpoint} does not load: {said}{remedy}"
        ) from error


def refuse_other_architectures(
    path: Path, known: Collection[str], *, in_words: str | None = None
) -> str:
    """Return the architecture of a checkpoint if it is a known one.

    Args:
        path: The checkpoint's folder.
        known: Values of `model_type`.
        in_words: A description of them for the error; None: their list.

    Raises:
        CheckpointBroken: For any other, which transformers may load: a sister architecture may
            have the same names of weights and compute something else with them.
    """
    content = json.loads((path / "config.json").read_text(encoding="utf-8"))
    found: str = content.get("model_type")
    if found not in known:
        some = in_words or " or ".join(map(repr, sorted(known)))
        raise CheckpointBroken(
            f"{path} is a checkpoint of the architecture {found!r}; this family loads "
            f"{some} only. Name another checkpoint or family in the profile."
        )
    return found
