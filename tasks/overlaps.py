"""Overlapping detections: which of them are one object, and whose box it keeps."""

from collections.abc import Collection, Sequence

from chatgenimage.tasks.options import ChainOptions
from chatgenimage.workers import boxes
from chatgenimage.workers.values import Detection


def one_box_per_object(
    found: Sequence[Detection], options: ChainOptions, yielding: Collection[str] = ()
) -> list[Detection]:
    """Merge detections of several prompts, then suppress as `without_overlaps` does."""
    return without_overlaps(boxes.fuse(found, options.agnostic_iou), options, yielding)


def without_overlaps(
    found: Sequence[Detection], options: ChainOptions, yielding: Collection[str] = ()
) -> list[Detection]:
    """Suppress per class, then across classes.

    Args:
        found: In any order; pixels of one image.
        options: The overlaps at which two boxes are one object.
        yielding: Labels that lose against all others: a box of theirs is dropped if it overlaps a
            kept box of another label by more than `nms_iou`, however confident it is.
    """
    per_class = boxes.suppress(found, options.nms_iou)
    first = [one for one in per_class if one.label not in yielding]
    kept = boxes.suppress(first, options.agnostic_iou, class_agnostic=True)
    rest = [
        one
        for one in per_class
        if one.label in yielding
        and all(boxes.iou(one.box_xyxy, other.box_xyxy) <= options.nms_iou for other in kept)
    ]
    last = boxes.suppress(rest, options.agnostic_iou, class_agnostic=True)
    return boxes.highest_first([*kept, *last])
