"""YOLO: a text file of boxes or polygons per image, and data.yaml."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import yaml

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.objects import ExportedObject, SizeWh
from chatgenimage.factory.export.outlines import single_ring
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.splits import VAL, usual_name
from chatgenimage.factory.export.trainers import RF_DETR_TRAINER, ultralytics

DECIMALS = 6
"""Decimals of relative coordinates: 0.01 pixels on the largest images."""
UNITS: int = 10**DECIMALS
"""Units of a side: coordinates are rounded to whole units."""


class YoloWriter:
    """Writes `images/<split>/`, `labels/<split>/` and data.yaml for Ultralytics."""

    def __init__(
        self,
        folder: Folder,
        plan: Plan,
        shape: Callable[[ExportedObject, SizeWh], Iterable[int]],
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._shape = shape
        self._class_ids = plan.class_ids()

    def add(self, sample: Sample) -> None:
        """Write an image and its objects, one per line; without objects the file is empty."""
        self._folder.put_image(f"images/{sample.split}/{sample.file_name}", sample)
        lines = [self._line(found, sample.size_wh) for found in sample.objects]
        self._folder.put_text(f"labels/{sample.split}/{sample.name}.txt", "".join(lines))

    def close(self) -> None:
        """Write data.yaml."""
        content = {usual_name(split): f"images/{split}" for split in self._plan.counts}
        # Ultralytics refuses a file without it; the command has said that there is no such split.
        content.setdefault(VAL, next(iter(content.values())))
        names = dict(enumerate(self._plan.classes))
        text = yaml.safe_dump({**content, "names": names}, sort_keys=False, allow_unicode=True)
        self._folder.put_text("data.yaml", text)

    def _line(self, found: ExportedObject, size_wh: SizeWh) -> str:
        shares = (units / UNITS for units in self._shape(found, size_wh))
        numbers = " ".join(f"{share:.{DECIMALS}f}" for share in shares)
        return f"{self._class_ids[found.label]} {numbers}\n"


def to_box(found: ExportedObject, size_wh: SizeWh) -> list[int]:
    """Return centre and size of a box in units of the image's sides."""
    x_min, y_min, x_max, y_max = found.box_xyxy
    x, width = _centre_and_size(x_min, x_max, size_wh[0])
    y, height = _centre_and_size(y_min, y_max, size_wh[1])
    return [x, y, width, height]


def to_polygon(found: ExportedObject, size_wh: SizeWh) -> Iterator[int]:
    """Yield the corners of the polygon around an object in units of the image's sides.

    YOLO has one polygon per object: parts are joined by seams of width 0.
    """
    for corner in single_ring(found):
        for position, side in zip(corner, size_wh, strict=True):
            yield _to_units(float(position), side)


def _centre_and_size(least: float, most: float, side: int) -> tuple[int, int]:
    """Return the middle and the length of a range; neither end leaves the image.

    Centre and size are whole units, so the length is made even. If each were rounded by itself, the
    ends that a reader computes from them could be half a unit outside of the image.
    """
    start, end = _to_units(least, side), _to_units(most, side)
    if (end - start) % 2:
        start, end = (start - 1, end) if start else (start, end + 1)
    return (start + end) // 2, end - start


def _to_units(position: float, side: int) -> int:
    return min(max(round(UNITS * position / side), 0), UNITS)


YOLO_DETECT = Format(
    name="yolo-detect",
    title="YOLO detection",
    open=partial(YoloWriter, shape=to_box),
    splits="train=0.8,val=0.2",
    validation="from train",
    trainers=(ultralytics("detect", "data.yaml", "yolo11n"), RF_DETR_TRAINER),
    reading="""\
import yaml
names = yaml.safe_load(open("{out}/data.yaml", encoding="utf-8"))["names"]""",
)
YOLO_SEGMENT = Format(
    name="yolo-segment",
    title="YOLO segmentation",
    open=partial(YoloWriter, shape=to_polygon),
    splits="train=0.8,val=0.2",
    validation="from train",
    trainers=(ultralytics("segment", "data.yaml", "yolo11n-seg"),),
    reading="""\
import yaml
names = yaml.safe_load(open("{out}/data.yaml", encoding="utf-8"))["names"]""",
)
