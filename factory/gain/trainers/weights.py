"""Start weights of torchvision's models: none, a local file, or torchvision's own."""

import hashlib
from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn
from torchvision.ops.misc import FrozenBatchNorm2d

from chatgenimage.factory.errors import CannotFetch, SettingsError

NONE, TORCHVISION = "none", "torchvision"
LEAST_MATCHING = 0.5
"""Least share of a model's tensors that a file must have; heads have other sizes."""

State = dict[str, torch.Tensor]


def identify_weights(weights: str) -> str:
    """Return a name that changes if the weights do.

    Raises:
        SettingsError: If a file is named that does not exist.
    """
    if weights in {NONE, TORCHVISION}:
        return weights
    path = Path(weights)
    if not path.is_file():
        raise SettingsError(
            f"--weights {weights}: no such file. Expected a file of weights, "
            f"`{NONE}`, or `{TORCHVISION}` for the weights that torchvision downloads."
        )
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(model: nn.Module, weights: str, published: str) -> None:
    """Load the tensors that fit into a model; others, such as a head's, keep their random start.

    Args:
        model: Changed in place.
        weights: `none`, `torchvision` or a file (safetensors, or a state dict of torch).
        published: Name of torchvision's own weights, e.g. "ResNet18_Weights.DEFAULT".

    Raises:
        CannotFetch: If torchvision's weights cannot be downloaded.
        SettingsError: If the file is of another model, or is not a file of weights.
    """
    if weights == NONE:
        return
    state = _download(published) if weights == TORCHVISION else _read(Path(weights))
    own = model.state_dict()
    fitting = {key: own[key].shape == value.shape for key, value in state.items() if key in own}
    matching = {key: state[key] for key, fits in fitting.items() if fits}
    if len(matching) < LEAST_MATCHING * len(own):
        raise SettingsError(
            f"--weights {weights}: {len(matching)} of the model's {len(own)} tensors are in it. "
            "It is of another model; choose the --trainer that it belongs to."
        )
    model.load_state_dict(matching, strict=False)


def freeze_batch_norm(module: nn.Module) -> None:
    """Replace every batch norm by one with fixed statistics, as torchvision does for detectors."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            frozen.load_state_dict(child.state_dict(), strict=False)
            setattr(module, name, frozen)
        else:
            freeze_batch_norm(child)


def _download(published: str) -> State:
    """Return published weights of torchvision.

    Raises:
        CannotFetch: If they cannot be downloaded.
    """
    from torchvision.models import get_weight

    weights = get_weight(published)
    try:
        state: State = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise CannotFetch(
            f"torchvision's weights {published} cannot be downloaded from {weights.url}: {error}. "
            f"Give a file of weights with --weights FILE, or start from nothing: --weights {NONE}."
        ) from error
    return state


def _read(path: Path) -> State:
    """Return the weights of a file; nothing in it is executed.

    Raises:
        SettingsError: If it is not a file of weights.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and torch have no common base for a damaged file
        raise SettingsError(f"--weights {path}: not a file of weights: {error}") from error
    if not isinstance(state, dict):
        raise SettingsError(f"--weights {path}: expected a state dict, found {type(state)}.")
    inner: State = state.get("model", state)  # torchvision's references save more than the model
    return inner
