"""Objects of a sample: the annotations of a candidate in the form that every format writes.

The mask of an object ends at its box: the box is what the filters and the reviewers judged. Where
a person added a box, or moved one so that nothing of the mask is in it, the mask is the box.
"""

import math
from dataclasses import dataclass, replace

from pycocotools import mask as coco_mask

from chatgenimage.db.object_reviews import CorrectedObject
from chatgenimage.workers import masks
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import BoxXyxy, Mask

SizeWh = tuple[int, int]
"""Width and height of an image in pixels."""


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """One object of a sample.

    Attributes:
        id: Of its annotation, or above all of them (`ADDED_FROM`); unique in the database.
        label: Its class in this export.
        box_xyxy: In pixels of the sample's image, the maximum sides exclusive.
        rle: Its mask in COCO's run-length encoding, with no pixel outside of the box.
        area_px: Of the mask.
    """

    id: int
    candidate_id: int
    label: str
    confidence: float
    box_xyxy: BoxXyxy
    rle: Rle
    area_px: int

    @property
    def box_xywh(self) -> list[float]:
        """Return the box in COCO's form: corner and size, in pixels."""
        x_min, y_min, x_max, y_max = self.box_xyxy
        return [x_min, y_min, x_max - x_min, y_max - y_min]


def object_of(found: CorrectedObject, label: str, size_wh: SizeWh) -> ExportedObject:
    """Return an object of a candidate, its mask cut at its box.

    Args:
        found: On the stored image.
        label: Its class in the export.
        size_wh: Size of the exported image; if it is not the stored one's, box and mask are scaled.
    """
    fitting = _scaled(_stored(found, label), size_wh)
    if not _is_inside(fitting.rle, fitting.box_xyxy):
        mask = masks.within(masks.decode(fitting.rle), fitting.box_xyxy, margin=0)
        fitting = _with_mask(fitting, mask)
    if found.is_corrected and not fitting.area_px:
        return _with_mask(fitting, masks.from_box(fitting.box_xyxy, size_wh))
    return fitting


def _stored(found: CorrectedObject, label: str) -> ExportedObject:
    box = found.box_xyxy
    if found.annotation is None:
        mask = masks.from_box(box, found.image_wh)
        rle, area_px = masks.encode(mask), masks.mask_area(mask)
    else:
        rle, area_px = masks.to_rle(found.annotation.rle), found.annotation.area_px
    return ExportedObject(found.id, found.candidate_id, label, found.confidence, box, rle, area_px)


def _scaled(known: ExportedObject, size_wh: SizeWh) -> ExportedObject:
    height, width = known.rle["size"]
    if (width, height) == size_wh:
        return known
    x, y = size_wh[0] / width, size_wh[1] / height
    x_min, y_min, x_max, y_max = known.box_xyxy
    mask = masks.resize(masks.decode(known.rle), size_wh)
    return _with_mask(replace(known, box_xyxy=(x * x_min, y * y_min, x * x_max, y * y_max)), mask)


def _with_mask(known: ExportedObject, mask: Mask) -> ExportedObject:
    return replace(known, rle=masks.encode(mask), area_px=masks.mask_area(mask))


def _is_inside(rle: Rle, box_xyxy: BoxXyxy) -> bool:
    """Return whether a mask touches no pixel that its box does not touch."""
    left, top, width, height = coco_mask.toBbox({**rle, "counts": rle["counts"].encode("ascii")})
    x_min, y_min, x_max, y_max = box_xyxy
    return bool(
        not width
        or (
            left >= math.floor(x_min)
            and top >= math.floor(y_min)
            and left + width <= math.ceil(x_max)
            and top + height <= math.ceil(y_max)
        )
    )
