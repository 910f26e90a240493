"""Masks: COCO run-length encoding, area, and the box around a mask."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from chatgenimage.workers.values import BoxXyxy, Mask


class Rle(TypedDict):
    """COCO's compressed run-length encoding, JSON-serialisable; `size` is [height, width]."""

    size: list[int]
    counts: str


def to_rle(stored: Mapping[str, Any]) -> Rle:
    """Return an RLE that was stored as JSON."""
    return {"size": stored["size"], "counts": stored["counts"]}


def encode(mask: Mask) -> Rle:
    """Return the COCO RLE of an (H, W) bool mask."""
    # COCO counts in column order, hence Fortran order.
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    height, width = mask.shape
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}


def decode(rle: Rle) -> Mask:
    """Return the (H, W) bool mask of an RLE."""
    encoded = {"size": rle["size"], "counts": rle["counts"].encode("ascii")}
    return np.ascontiguousarray(coco_mask.decode(encoded), dtype=np.bool_)


def mask_area(mask: Mask) -> int:
    """Return how many pixels the mask covers."""
    return int(np.count_nonzero(mask))


def find_box(mask: Mask) -> BoxXyxy | None:
    """Return the smallest box around the mask in pixels, or None if the mask is empty."""
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        return None
    return (
        float(columns.min()),
        float(rows.min()),
        float(columns.max() + 1),
        float(rows.max() + 1),
    )


def within(mask: Mask, box_xyxy: BoxXyxy, margin: float) -> Mask:
    """Return the mask cut off outside its box, which is first grown by `margin` of each side."""
    x_min, y_min, x_max, y_max = box_xyxy
    grow_x, grow_y = margin * (x_max - x_min), margin * (y_max - y_min)
    inside = _touched((x_min - grow_x, y_min - grow_y, x_max + grow_x, y_max + grow_y))
    cut = np.zeros(mask.shape, np.bool_)  # not `zeros_like`, which touches every page
    cut[inside] = mask[inside]
    return cut


def resize(mask: Mask, size_wh: tuple[int, int]) -> Mask:
    """Return the mask for an image of another size; each pixel takes the nearest one's value."""
    scaled = Image.fromarray(mask).resize(size_wh, Image.Resampling.NEAREST)
    return np.asarray(scaled, dtype=np.bool_)


def without_edge(mask: Mask) -> Mask:
    """Return the mask without its outermost pixels, which mix object and background.

    A mask that consists of edge pixels only is returned unchanged.
    """
    from skimage.morphology import erosion

    inner: Mask = erosion(mask)
    return inner if inner.any() else mask


def from_box(box_xyxy: BoxXyxy, size_wh: tuple[int, int]) -> Mask:
    """Return an (H, W) mask of all pixels that the box touches, cut at the image's edges."""
    width, height = size_wh
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[_touched(box_xyxy)] = True
    return mask


def _touched(box_xyxy: BoxXyxy) -> tuple[slice, slice]:
    """Return the rows and columns of all pixels that a box touches."""
    x_min, y_min, x_max, y_max = box_xyxy
    return (
        slice(max(int(np.floor(y_min)), 0), max(int(np.ceil(y_max)), 0)),
        slice(max(int(np.floor(x_min)), 0), max(int(np.ceil(x_max)), 0)),
    )
