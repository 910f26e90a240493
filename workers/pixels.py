"""Pixels: conversion of images and masks to tensors of a latent model and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chatgenimage.workers.values import Mask, RgbImage

if TYPE_CHECKING:
    import torch

Padding: TypeAlias = Literal["edge", "constant"]


def pad_edges(images: Sequence[RgbImage], multiple_of: int) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) images of one shape; the edge is repeated up to the next multiple."""
    return _padded(np.stack(images), multiple_of, mode="edge")


def to_tensor(images: Sequence[RgbImage], multiple_of: int = 1) -> "torch.Tensor":
    """Return (N, 3, H, W) float in [0, 1]; the edge is repeated up to the next multiple."""
    import torch

    stacked = pad_edges(images, multiple_of)
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255


def to_cells(masks: Sequence[Mask], cell_px: int, multiple_of: int | None = None) -> "torch.Tensor":
    """Return (N, 1, h, w) float masks of latent cells; a cell that the mask touches is 1.

    Otherwise a mask thinner than a cell would vanish in latent space.

    Args:
        masks: (H, W) each.
        cell_px: Side of a cell, pixels.
        multiple_of: The masks are padded to multiples of it; None: of a cell.
    """
    import torch

    stacked = _padded(np.stack(masks), multiple_of or cell_px, mode="constant")
    count, height, width = stacked.shape
    cells = stacked.reshape(count, height // cell_px, cell_px, width // cell_px, cell_px)
    touched = np.expand_dims(cells.any(axis=(2, 4)), 1)
    return torch.from_numpy(touched).float()


def from_cells(cells: "torch.Tensor", cell_px: int) -> "torch.Tensor":
    """Return (N, 1, H, W) masks in which each cell covers its pixels."""
    return cells.repeat_interleave(cell_px, dim=2).repeat_interleave(cell_px, dim=3)


def to_images(stacked: NDArray[np.float32], shape_hw: tuple[int, ...]) -> list[RgbImage]:
    """Return uint8 images from (N, H, W, 3) floats in [0, 1], cropped to `shape_hw`."""
    height, width = shape_hw
    rounded = np.round(stacked[:, :height, :width] * 255).astype(np.uint8)
    return list(rounded)


def _padded(
    stacked: NDArray[Any], multiple_of: int, *, mode: Literal["edge", "constant"]
) -> NDArray[Any]:
    """Return (N, H, W, ...), padded at the bottom and right to multiples."""
    _, height, width = stacked.shape[:3]
    grown = [(0, 0), (0, -height % multiple_of), (0, -width % multiple_of)]
    rest = [(0, 0)] * (stacked.ndim - 3)
    return np.pad(stacked, grown + rest, mode=mode)
