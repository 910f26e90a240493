"""Image similarity: PSNR, SSIM and seams between an image and its parent (3.5, Pixel Checking)."""

import numpy as np
from numpy.typing import NDArray

from chatgenimage.workers.errors import UnfitImage
from chatgenimage.workers.values import Mask, RgbImage

MAX_PSNR_DB = 100.0
"""PSNR of an unchanged region; the true value is infinite, which a database cannot store."""

MIN_SIDE_PX = 3
WINDOW_PX = 7
SEEN_SHARE = 0.25
"""Quantile along an edge: an object may touch three quarters of it and is not seen as a seam."""


def psnr(before: RgbImage, after: RgbImage, region: Mask | None = None) -> float | None:
    """Return the peak signal-to-noise ratio over `region`, in decibels.

    Args:
        before: (H, W, 3) uint8 RGB.
        after: The same shape.
        region: (H, W) bool, True where nothing should have changed; None is the whole image.

    Returns:
        In [0, 100], 100 if nothing changed; None if the region is empty.

    Raises:
        UnfitImage: If the shapes differ.
    """
    from skimage.metrics import peak_signal_noise_ratio

    region = _region_of(before, after, region)
    if not region.any():
        return None
    if np.array_equal(before[region], after[region]):
        return MAX_PSNR_DB
    ratio = peak_signal_noise_ratio(before[region], after[region], data_range=255)
    return min(float(ratio), MAX_PSNR_DB)


def ssim(before: RgbImage, after: RgbImage, region: Mask | None = None) -> float | None:
    """Return the mean structural similarity over `region` (Wang et al. 2004).

    Pixels outside the region are treated as unchanged, so that a window across its edge is not
    affected by intended changes. Images narrower than seven pixels are compared with the largest
    odd window that fits.

    Args:
        before: (H, W, 3) uint8 RGB, at least 3 pixels on each side.
        after: The same shape.
        region: (H, W) bool, True where nothing should have changed; None is the whole image.

    Returns:
        In [-1, 1], 1 if nothing changed; None if the region is empty.

    Raises:
        UnfitImage: If the shapes differ or the image is too small.
    """
    from skimage.metrics import structural_similarity

    region = _region_of(before, after, region)
    if not region.any():
        return None
    _, similarity = structural_similarity(
        before,
        np.where(region[..., np.newaxis], after, before),
        win_size=_window_px(region.shape),
        channel_axis=2,
        data_range=255,
        full=True,
    )
    return float(similarity[region].mean())


def seam(before: RgbImage, after: RgbImage, inside: Mask) -> float | None:
    """Return how visible the edge of a repainted region is, in levels of 255.

    The difference of neighbouring pixels across the edge, as for blocking artefacts (Wang, Sheikh
    and Bovik 2002), minus the difference before; the lower quartile along the edge, because an
    object may end at part of the edge, while a wrong background ends there all around.

    Args:
        before: (H, W, 3) uint8 RGB.
        after: The same shape.
        inside: (H, W) bool, True where it was repainted.

    Returns:
        In [0, 255], 0 for a seamless edge; None if the region has no edge in the image.

    Raises:
        UnfitImage: If the shapes differ.
    """
    inside = _region_of(before, after, inside)
    was, now = _steps_across(before, inside), _steps_across(after, inside)
    if not was.size:
        return None
    return max(float(np.quantile(now, SEEN_SHARE) - np.quantile(was, SEEN_SHARE)), 0.0)


def _steps_across(image: RgbImage, inside: Mask) -> NDArray[np.float64]:
    """Return the differences of all neighbouring pixels of which one is inside."""
    levels = image.astype(np.int16)
    return np.concatenate(
        [
            np.abs(np.diff(levels, axis=axis)).mean(axis=2)[np.diff(inside, axis=axis)]
            for axis in (0, 1)
        ]
    )


def _region_of(before: RgbImage, after: RgbImage, region: Mask | None) -> Mask:
    """Return the region as a mask; raise UnfitImage for shapes that do not match."""
    if before.shape != after.shape:
        raise UnfitImage(
            f"images of shapes {before.shape} and {after.shape} cannot be compared; "
            "resize the child to its parent first."
        )
    if region is None:
        return np.ones(before.shape[:2], dtype=np.bool_)
    if region.shape != before.shape[:2]:
        raise UnfitImage(f"a region of {region.shape} does not fit an image of {before.shape[:2]}.")
    return region


def _window_px(shape_hw: tuple[int, ...]) -> int:
    """Return the side of the largest odd window, at most seven pixels, that fits the image."""
    side_px = min(WINDOW_PX, *shape_hw)
    if side_px < MIN_SIDE_PX:
        raise UnfitImage(f"an image of {shape_hw} is too small; {MIN_SIDE_PX} px are needed.")
    return side_px if side_px % 2 else side_px - 1
