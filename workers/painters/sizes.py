"""Sizes of images: what a pipeline can paint, and what it would make smaller by itself."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from chatgenimage.workers.errors import UnfitImage
from chatgenimage.workers.values import Mask, RgbImage


def refuse_unfit_size(size_wh: tuple[int, int], multiple: int) -> None:
    """Raise UnfitImage for a size that a pipeline would refuse, or silently make smaller."""
    if not any(side % multiple for side in size_wh):
        return
    smaller = [max(side // multiple, 1) * multiple for side in size_wh]
    larger = [-(-side // multiple) * multiple for side in size_wh]
    raise UnfitImage(
        f"size_wh {list(size_wh)} cannot be painted; both sides must be multiples of {multiple}. "
        f"The nearest are {smaller} and {larger}."
    )


def reduced_shape(
    shape_hw: tuple[int, ...], most_px: int | None, multiple: int
) -> tuple[int, int] | None:
    """Return the shape with an image's proportions and at most `most_px` pixels.

    Args:
        shape_hw: Height and width of the image.
        most_px: Most pixels; None: any number.
        multiple: Both sides are multiples of it.

    Returns:
        (height, width); None if the image has no more pixels than that.
    """
    height, width = shape_hw
    if most_px is None or height * width <= most_px:
        return None
    scale = math.sqrt(most_px / (height * width))
    return (
        max(int(height * scale) // multiple, 1) * multiple,
        max(int(width * scale) // multiple, 1) * multiple,
    )


def scale_image(image: RgbImage, shape_hw: tuple[int, ...]) -> RgbImage:
    """Return an image with another height and width."""
    height, width = shape_hw
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def scale_mask(mask: Mask, shape_hw: tuple[int, int]) -> Mask:
    """Return a mask with another height and width; a pixel that is partly covered is set."""
    height, width = shape_hw
    covered = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(covered.resize((width, height), Image.Resampling.BILINEAR)) > 0


def paint_at_most(
    images: Sequence[RgbImage],
    most_px: int | None,
    multiple: int,
    paint: Callable[[Sequence[RgbImage]], list[RgbImage]],
) -> list[RgbImage]:
    """Return painted images of one shape; larger ones are painted smaller and brought back.

    Args:
        images: (H, W, 3) each.
        most_px: Most pixels of an image that is painted at its own size; None: any number.
        multiple: Both sides of a smaller image are multiples of it.
        paint: Returns images of the shape that it gets.
    """
    shape_hw = images[0].shape[:2]
    reduced = reduced_shape(shape_hw, most_px, multiple)
    if reduced is None:
        return paint(images)
    painted = paint([scale_image(image, reduced) for image in images])
    return [scale_image(image, shape_hw) for image in painted]
