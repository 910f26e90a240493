"""Filling: groups of images that are painted together, crop zoom, and the outside pasted back."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

import numpy as np

from chatgenimage.workers.crop_zoom import Zoom
from chatgenimage.workers.errors import UnfitImage
from chatgenimage.workers.groups import group_equal
from chatgenimage.workers.values import Mask, RgbImage

Images: TypeAlias = Sequence[RgbImage]
Masks: TypeAlias = Sequence[Mask]
Paint: TypeAlias = Callable[[Images, Masks, Sequence[int]], list[RgbImage]]
"""Returns images of one shape with their masked part repainted, and perhaps other pixels changed.

The last argument has the place of each image in the batch.
"""


def fill_inside(
    images: Images,
    mask_images: Masks,
    paint: Paint,
    alike: Sequence[Hashable],
    zoom_share: float | None,
) -> list[RgbImage]:
    """Return the images with their masked part repainted; every pixel outside is unchanged.

    Args:
        images: (H, W, 3) each; sizes may differ.
        mask_images: (H, W) each, True is repainted.
        paint: Called once for each group of images.
        alike: A key per image; images of a group have equal shapes and keys.
        zoom_share: Share of a side that the masked part takes in an enlarged crop; None: the whole
            image is painted.

    Raises:
        UnfitImage: If a mask does not fit its image.
    """
    _refuse_unfit(images, mask_images)
    filled = list(images)
    shapes = (image.shape for image in images)
    for group in group_equal(zip(shapes, alike, strict=True)):
        own, masks = [images[index] for index in group], [mask_images[index] for index in group]
        painted = _paint_closer(own, masks, group, paint, zoom_share)
        for index, image in zip(group, painted, strict=True):
            filled[index] = np.where(mask_images[index][..., np.newaxis], image, images[index])
    return filled


def _paint_closer(
    images: Images,
    mask_images: Masks,
    group: Sequence[int],
    paint: Paint,
    share: float | None,
) -> list[RgbImage]:
    """Return images of one shape, painted in the crop zoom."""
    if share is None:
        return paint(images, mask_images, group)
    zooms = [Zoom.on(mask, share) for mask in mask_images]
    painted = paint(
        [zoom.enlarge(image) for zoom, image in zip(zooms, images, strict=True)],
        [zoom.enlarge_mask(mask) for zoom, mask in zip(zooms, mask_images, strict=True)],
        group,
    )
    return [
        zoom.put_back(closer, image)
        for zoom, closer, image in zip(zooms, painted, images, strict=True)
    ]


def _refuse_unfit(images: Images, mask_images: Masks) -> None:
    for image, mask in zip(images, mask_images, strict=True):
        if mask.shape != image.shape[:2]:
            raise UnfitImage(f"a mask of {mask.shape} does not fit an image of {image.shape[:2]}.")
