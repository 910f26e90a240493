"""Precision of a network's output."""

from typing import Any

import torch


def in_float32(output: Any) -> Any:  # noqa: ANN401 (an output of transformers)
    """Return an output whose numbers, also those in its lists, are float32."""
    for name, value in output.items():
        output[name] = _convert(value)
    return output


def _convert(value: Any) -> Any:  # noqa: ANN401 (a tensor, or several)
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, list | tuple):
        return type(value)(_convert(part) for part in value)
    return value
