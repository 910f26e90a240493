"""Transform of Mask R-CNN that gives it mask targets in the place of the objects."""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import grid_sample
from torchvision.models.detection.transform import GeneralizedRCNNTransform


class MaskTransform(GeneralizedRCNNTransform):  # type: ignore[misc]  # torchvision has no types
    """Resizes images and boxes as torchvision does, and masks so that their targets are in place.

    In torchvision, `roi_align` reads the pixel i of a mask as if its centre were at i, not at
    i + 0.5: targets are up to half a pixel of the resized image too far up and left. Here the pixel
    i of a resized mask is the value of the mask at i.
    """

    def resize(
        self, image: torch.Tensor, target: dict[str, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor] | None]:
        """Return a resized (3, H, W) image and its target; masks are float in [0, 1]."""
        masks = None if target is None else target.pop("masks", None)
        resized: tuple[torch.Tensor, dict[str, torch.Tensor] | None] = super().resize(image, target)
        image, target = resized
        if target is not None and masks is not None:
            target["masks"] = _at_corners(masks, *image.shape[-2:])
        return image, target


def with_masks_in_place(model: nn.Module) -> nn.Module:
    """Return a Mask R-CNN of torchvision whose mask targets are in the place of the objects."""
    old: Any = model.transform
    model.transform = MaskTransform(old.min_size, old.max_size, old.image_mean, old.image_std)
    return model


def _at_corners(masks: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return (N, height, width) float masks: their values at the upper left corners of pixels."""
    if not len(masks):
        return masks.new_zeros((0, height, width), dtype=torch.float32)
    y = torch.arange(height, device=masks.device) * (2 / height) - 1
    x = torch.arange(width, device=masks.device) * (2 / width) - 1
    places = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    stacked = masks.float()[None]
    return grid_sample(stacked, places[None], padding_mode="border", align_corners=False)[0]
