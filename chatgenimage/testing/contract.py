"""Tools of the contract checks: the error, sample images, and equality up to rounding."""

import numpy as np

from chatgenimage.workers.values import RgbImage

SIZES_HW = ((64, 64), (61, 67), (64, 64))
TOLERANCE_LEVELS = 2
"""A network computes slightly other values in another batch."""


class ContractBroken(AssertionError):
    """A plug-in does not do what its contract says."""


def require(holds: object, message: str) -> None:
    """Check a condition.

    Raises:
        ContractBroken: If it does not hold.
    """
    if not holds:
        raise ContractBroken(message)


def sample_images() -> list[RgbImage]:
    """Return three images of noise, the middle one of an unusual size."""
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (*size_hw, 3), dtype=np.uint8) for size_hw in SIZES_HW]


def same_image(one: RgbImage, other: RgbImage) -> bool:
    """Return whether two images differ by at most two of 255 levels everywhere."""
    if one.shape != other.shape:
        return False
    return not one.size or int(np.abs(one.astype(int) - other).max()) <= TOLERANCE_LEVELS


def require_images(images: object, count: int) -> None:
    """Check that a method returned so many RGB images."""
    require(isinstance(images, list), f"expected a list of images, found {type(images).__name__}")
    assert isinstance(images, list)  # noqa: S101  # narrows the type
    require(len(images) == count, f"expected {count} images, found {len(images)}")
    for image in images:
        is_array = isinstance(image, np.ndarray) and image.dtype == np.uint8
        require(is_array, "expected arrays of uint8")
        shape = image.shape
        require(len(shape) == 3 and shape[2] == 3, f"expected (H, W, 3), found {shape}")  # noqa: PLR2004
