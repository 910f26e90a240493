"""Traditional augmentation: a mild recipe, and the strong ones of torchvision's references.

The strong ones make objects small and need long trainings; in short ones small images gain more
from mirror, colours, and a little shift and scale. They are, for classification,
`references/classification/presets.py` with TrivialAugment and random erasing; for detection and
segmentation `references/detection/presets.py`, the policy "ssd".
"""

from collections.abc import Callable

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from chatgenimage.factory.gain.values import Augmentation

Transform = Callable[
    [torch.Tensor, dict[str, torch.Tensor]], tuple[torch.Tensor, dict[str, torch.Tensor]]
]
"""Changes an image, (3, H, W) uint8, together with its target."""

MEAN_COLOUR = [123.0, 117.0, 104.0]
"""Fills the space around a reduced image, as in the reference."""
SHIFT, SCALE = 0.15, (0.8, 1.25)
"""Of the mild recipe: as shares of the image, and as factors."""
ERASED = 0.1
"""Share of images of which a rectangle is erased."""


def augment_objects(augmentation: Augmentation) -> Transform | None:
    """Return the recipe for boxes and masks, None if nothing is changed."""
    recipes = {
        Augmentation.NONE: [],
        Augmentation.MILD: [
            v2.RandomPhotometricDistort(),
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(0, (SHIFT, SHIFT), SCALE, interpolation=v2.InterpolationMode.BILINEAR),
            v2.ClampBoundingBoxes(),
        ],
        Augmentation.STRONG: [
            v2.RandomPhotometricDistort(),
            v2.RandomZoomOut(fill={tv_tensors.Image: MEAN_COLOUR, tv_tensors.Mask: 0}),
            v2.RandomIoUCrop(),
            v2.RandomHorizontalFlip(),
        ],
    }
    steps = recipes[augmentation]
    if not steps:
        return None
    recipe: Transform = v2.Compose([*steps, v2.SanitizeBoundingBoxes(min_size=2)])
    return recipe


def augment_images(augmentation: Augmentation, size_px: int) -> Transform:
    """Return the recipe for classes; the last step gives the size of the model.

    Args:
        augmentation: How much is changed.
        size_px: Side of the square that the model gets.
    """
    whole = v2.Resize((size_px, size_px), antialias=True)
    mild = [v2.RandomHorizontalFlip(), v2.RandomPhotometricDistort()]
    recipes = {
        Augmentation.NONE: [whole],
        Augmentation.MILD: [*mild, v2.RandomAffine(0, (SHIFT, SHIFT), SCALE), whole],
        Augmentation.STRONG: [
            v2.RandomResizedCrop(size_px, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.TrivialAugmentWide(),
            v2.RandomErasing(ERASED),
        ],
    }
    recipe: Transform = v2.Compose(recipes[augmentation])
    return recipe
