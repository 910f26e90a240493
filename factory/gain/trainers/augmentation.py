"""Traditional augmentation: the strong recipes of torchvision's training references.

Classification: `references/classification/presets.py` with TrivialAugment and random erasing.
Detection and segmentation: `references/detection/presets.py`, the policy "ssd".
"""

from collections.abc import Callable

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

Transform = Callable[
    [torch.Tensor, dict[str, torch.Tensor]], tuple[torch.Tensor, dict[str, torch.Tensor]]
]
"""Changes an image, (3, H, W) uint8, together with its target."""

MEAN_COLOUR = [123.0, 117.0, 104.0]
"""Fills the space around a reduced image, as in the reference."""
ERASED = 0.1
"""Share of images of which a rectangle is erased."""


def augment_objects() -> Transform:
    """Return the recipe for boxes and masks: colours, zoom out, crop, mirror."""
    recipe: Transform = v2.Compose(
        [
            v2.RandomPhotometricDistort(),
            v2.RandomZoomOut(fill={tv_tensors.Image: MEAN_COLOUR, tv_tensors.Mask: 0}),
            v2.RandomIoUCrop(),
            v2.RandomHorizontalFlip(),
            v2.SanitizeBoundingBoxes(min_size=2),
        ]
    )
    return recipe


def augment_images(size_px: int) -> Transform:
    """Return the recipe for classes: crop, mirror, TrivialAugment, erase.

    Args:
        size_px: Side of the square that the model gets.
    """
    recipe: Transform = v2.Compose(
        [
            v2.RandomResizedCrop(size_px, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.TrivialAugmentWide(),
            v2.RandomErasing(ERASED),
        ]
    )
    return recipe
