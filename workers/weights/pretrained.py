"""Loading of models of the transformers package."""

from pathlib import Path
from typing import Any

from chatgenimage.workers.config import WeightsConfig
from chatgenimage.workers.device import to_dtype
from chatgenimage.workers.weights import local_files


def load_pretrained(
    model_kind: Any,  # noqa: ANN401 (a model class)
    processor_kind: Any,  # noqa: ANN401 (a processor class)
    config: WeightsConfig,
    path: Path,
    device: str,
) -> tuple[Any, Any]:
    """Return a model ready on `device`, and its processor.

    Raises:
        CheckpointBroken: If a weight or the vocabulary is missing, or anything does not load.
    """
    with local_files.loading(config.checkpoint):
        local_files.refuse_wordless(path)
        processor = processor_kind.from_pretrained(path)
        model, report = model_kind.from_pretrained(
            path, dtype=to_dtype(config.dtype), use_safetensors=True, output_loading_info=True
        )
        local_files.refuse_missing(report["missing_keys"])
    return model.to(device).eval(), processor
