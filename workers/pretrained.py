"""How the models of the package transformers are loaded."""

from pathlib import Path
from typing import Any

from workers import weights
from workers.config import WeightsConfig
from workers.device import to_dtype


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
    with weights.loading(config.checkpoint):
        weights.refuse_wordless(path)
        processor = processor_kind.from_pretrained(path)
        model, report = model_kind.from_pretrained(
            path, dtype=to_dtype(config.dtype), use_safetensors=True, output_loading_info=True
        )
        weights.refuse_missing(report["missing_keys"])
    return model.to(device).eval(), processor
