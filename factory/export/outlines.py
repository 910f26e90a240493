"""Masks as polygons along pixel edges, without loss."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.workers import masks
from chatgenimage.workers.values import Mask

Ring = NDArray[np.int_]
"""(N, 2) corners x, y in pixels; closed from the last to the first."""

_INSET_PX = 0.125


def polygons_of(found: ExportedObject) -> list[Ring]:
    """Return one polygon per part of the mask; without a mask, the polygon of the box.

    COCO's polygons have no holes: a hole is joined to its outer outline by a seam of width 0.
    """
    mask = masks.decode(found.rle)
    box = masks.find_box(mask)
    if box is None:
        return [_box_ring(found)]
    x_min, y_min, x_max, y_max = map(int, box)  # the rest of a large image is left out
    cut, corner = mask[y_min:y_max, x_min:x_max], np.array([x_min, y_min])
    return [_joined(part) + corner for part in find_outlines(cut)]


def single_ring(found: ExportedObject) -> Ring:
    """Return one polygon around all parts, for formats with one polygon per object."""
    return _joined(polygons_of(found))


def find_outlines(mask: Mask) -> list[list[Ring]]:
    """Return for each part of an (H, W) mask its outer outline, then that of each hole.

    Pixels that touch only at a corner belong to different parts.
    """
    from contourpy import FillType, contour_generator

    height, width = mask.shape
    # Every pixel becomes a small plateau, so that contours follow the pixel edges.
    levels = np.pad(mask, 1).astype(np.float32).repeat(2, axis=0).repeat(2, axis=1)
    contours = contour_generator(
        _plateaus(width), _plateaus(height), levels, fill_type=FillType.OuterOffset
    )
    parts = zip(*contours.filled(0.5, np.inf), strict=True)
    return [
        [_corners(points[start:end]) for start, end in pairwise(offsets)]
        for points, offsets in parts
    ]


def _plateaus(length: int) -> NDArray[np.float64]:
    starts = np.arange(-1, length + 1)
    return np.stack([starts + _INSET_PX, starts + 1 - _INSET_PX], axis=1).ravel()


def _corners(points: NDArray[np.float64]) -> Ring:
    """Return only the corners, in whole pixels."""
    ring = np.rint(points[:-1]).astype(np.int_)
    ring = ring[np.any(ring != np.roll(ring, 1, axis=0), axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    corners: Ring = ring[turns]
    return corners


def _joined(rings: Sequence[Ring]) -> Ring:
    """Join outlines: go to each further one and back along the same line."""
    joined, *others = rings
    for other in others:
        distances = np.square(joined[:, None] - other[None]).sum(axis=-1)
        here, there = np.unravel_index(distances.argmin(), distances.shape)
        around = np.roll(other, -there, axis=0)
        joined = np.concatenate([joined[: here + 1], around, around[:1], joined[here:]])
    return joined


def _box_ring(found: ExportedObject) -> Ring:
    x_min, y_min, x_max, y_max = (round(side) for side in found.box_xyxy)
    return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
