"""Boxes in pixels: overlap, clipping, and the paper's rules for a new object's place."""

from collections.abc import Sequence

from workers.values import BoxXyxy

REFERENCE_SIDE_PX = 512
MIN_SIDE_PX = 75
MAX_SIDE_PX = 300


def area(box_xyxy: BoxXyxy) -> float:
    """Return the area in square pixels; 0 for an empty or inverted box."""
    x_min, y_min, x_max, y_max = box_xyxy
    return max(x_max - x_min, 0.0) * max(y_max - y_min, 0.0)


def intersection(one: BoxXyxy, other: BoxXyxy) -> float:
    """Return the area that both boxes cover, in square pixels."""
    return area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )


def iou(one: BoxXyxy, other: BoxXyxy) -> float:
    """Return intersection over union in [0, 1]; 0 when both boxes are empty."""
    shared = intersection(one, other)
    union = area(one) + area(other) - shared
    return shared / union if union > 0 else 0.0


def clip(box_xyxy: BoxXyxy, size_wh: tuple[int, int]) -> BoxXyxy:
    """Return the part of the box that lies inside an image of `size_wh` pixels."""
    width, height = size_wh
    x_min, y_min, x_max, y_max = box_xyxy
    return (
        min(max(x_min, 0.0), width),
        min(max(y_min, 0.0), height),
        min(max(x_max, 0.0), width),
        min(max(y_max, 0.0), height),
    )


def placement_problem(
    box_xyxy: BoxXyxy, existing: Sequence[BoxXyxy], size_wh: tuple[int, int]
) -> str | None:
    """Return why an object may not be placed there, or None if it may (Table 1, Box Candidates).

    Each side must be greater than 75 and less than 300 px at 512 px, scaled with the image; the
    box must lie inside the image and must not overlap an existing box.
    """
    width, height = size_wh
    x_min, y_min, x_max, y_max = box_xyxy
    sides = (
        (x_max - x_min) * REFERENCE_SIDE_PX / width,
        (y_max - y_min) * REFERENCE_SIDE_PX / height,
    )
    if min(sides) <= MIN_SIDE_PX:
        return "too_small"
    if max(sides) >= MAX_SIDE_PX:
        return "too_large"
    if x_min < 0 or y_min < 0 or x_max > width or y_max > height:
        return "outside_image"
    if any(intersection(box_xyxy, other) > 0 for other in existing):
        return "overlaps_object"
    return None
