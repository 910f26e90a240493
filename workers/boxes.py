"""Boxes in pixels: overlap, clipping, duplicates, and the paper's placement rules."""

from collections.abc import Sequence
from dataclasses import replace

from chatgenimage.workers.values import BoxXyxy, Detection

REFERENCE_SIDE_PX = 512
MIN_SIDE_PX = 75
MAX_SIDE_PX = 300


def box_area(box_xyxy: BoxXyxy) -> float:
    """Return the area in square pixels; 0 for an empty or inverted box."""
    x_min, y_min, x_max, y_max = box_xyxy
    return max(x_max - x_min, 0.0) * max(y_max - y_min, 0.0)


def intersection(one: BoxXyxy, other: BoxXyxy) -> float:
    """Return the area that both boxes cover, in square pixels."""
    return box_area(
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
    union = box_area(one) + box_area(other) - shared
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


def highest_first(detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections by falling confidence; ties keep their order."""
    return sorted(detections, key=lambda detection: detection.confidence, reverse=True)


def suppress(
    detections: Sequence[Detection], iou_threshold: float, *, class_agnostic: bool = False
) -> list[Detection]:
    """Return the detections without those that overlap a more confident one, highest first.

    Args:
        detections: In any order; pixels of one image.
        iou_threshold: In [0, 1]; boxes that overlap more than this are one object.
        class_agnostic: Whether a detection also suppresses those with other labels.
    """
    kept: list[Detection] = []
    for detection in highest_first(detections):
        rivals = (other for other in kept if class_agnostic or other.label == detection.label)
        if all(iou(detection.box_xyxy, other.box_xyxy) <= iou_threshold for other in rivals):
            kept.append(detection)
    return kept


def fuse(detections: Sequence[Detection], iou_threshold: float) -> list[Detection]:
    """Return the detections with duplicates of one label merged, highest first.

    Duplicates come from a label that was in more than one prompt. The fused box is their mean
    weighted by confidence (Solovyev et al. 2021); its confidence is the highest of theirs,
    because the prompts saw the same pixels and are not independent.

    Args:
        detections: In any order; pixels of one image.
        iou_threshold: In [0, 1]; boxes of one label that overlap more than this are one object.
    """
    clusters: list[list[Detection]] = []
    for detection in highest_first(detections):
        for cluster in clusters:
            first = cluster[0]
            same_label = first.label == detection.label
            if same_label and iou(first.box_xyxy, detection.box_xyxy) > iou_threshold:
                cluster.append(detection)
                break
        else:
            clusters.append([detection])
    return [_fused(cluster) for cluster in clusters]


def _fused(cluster: Sequence[Detection]) -> Detection:
    """Return the first of a cluster, with the confidence-weighted mean of all its boxes."""
    total = sum(detection.confidence for detection in cluster)
    if len(cluster) == 1 or total == 0:
        return cluster[0]
    x_min, y_min, x_max, y_max = (
        sum(detection.confidence * detection.box_xyxy[side] for detection in cluster) / total
        for side in range(4)
    )
    return replace(cluster[0], box_xyxy=(x_min, y_min, x_max, y_max))


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
