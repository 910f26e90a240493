"""Loading of models of the transformers package."""

import json
from pathlib import Path
from typing import Any

from chatgenimage.workers.device import to_dtype
from chatgenimage.workers.errors import CheckpointBroken
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
        _refuse_other_architecture(path, model_kind.config_class.model_type)
        local_files.refuse_wordless(path)
        processor = processor_kind.from_pretrained(path)
        model, report = model_kind.from_pretrained(
            path, dtype=to_dtype(config.dtype), use_safetensors=True, output_loading_info=True
        )
        local_files.refuse_missing(report["missing_keys"])
        local_files.refuse_unexpected(report["unexpected_keys"])
    return model.to(device).eval(), processor


def _refuse_other_architecture(path: Path, expected: str) -> None:
    """Raise CheckpointBroken for a sister architecture, which transformers would load.

    It may have the same names of weights and compute something else with them.
    """
    found = json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
    if found != expected:
        raise CheckpointBroken(
            f"{path} is a checkpoint of the architecture {found!r}; this family loads "
            f"{expected!r} only. Name another checkpoint or family in the profile."
        )
