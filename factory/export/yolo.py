"""YOLO: a text file of boxes or polygons per image, and data.yaml."""

from collections.abc import Callable, Iterable
from functools import partial

import yaml

from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.outlines import single_ring
from chatgenimage.factory.export.sample import Sample

DECIMALS = 6
"""Decimals of relative coordinates: 0.01 pixels on the largest images."""


class YoloWriter:
    """Writes `images/<split>/`, `labels/<split>/` and data.yaml for Ultralytics."""

    def __init__(
        self,
        folder: Folder,
        plan: Plan,
        shape: Callable[[Annotation, Candidate], Iterable[float]],
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._shape = shape
        self._class_ids = plan.class_ids()

    def add(self, sample: Sample) -> None:
        """Write an image and its objects, one per line; without objects the file is empty."""
        self._folder.put_image(f"images/{sample.split}/{sample.file_name}", sample)
        lines = [self._line(annotation, sample) for annotation in sample.candidate.annotations]
        self._folder.put_text(f"labels/{sample.split}/{sample.name}.txt", "".join(lines))

    def close(self) -> None:
        """Write data.yaml."""
        content = {split: f"images/{split}" for split in self._plan.counts}
        names = dict(enumerate(self._plan.classes))
        text = yaml.safe_dump({**content, "names": names}, sort_keys=False, allow_unicode=True)
        self._folder.put_text("data.yaml", text)

    def _line(self, annotation: Annotation, sample: Sample) -> str:
        shares = self._shape(annotation, sample.candidate)
        numbers = " ".join(f"{share:.{DECIMALS}f}" for share in shares)
        return f"{self._class_ids[annotation.label]} {numbers}\n"


def to_box(annotation: Annotation, candidate: Candidate) -> list[float]:
    """Return centre and size of a box as shares of the image."""
    x_min, y_min, x_max, y_max = annotation.box_xyxy
    width, height = candidate.width_px, candidate.height_px
    return [
        (x_min + x_max) / 2 / width,
        (y_min + y_max) / 2 / height,
        (x_max - x_min) / width,
        (y_max - y_min) / height,
    ]


def to_polygon(annotation: Annotation, candidate: Candidate) -> Iterable[float]:
    """Yield the corners of the polygon around an object as shares of the image.

    YOLO has one polygon per object: parts are joined by seams of width 0.
    """
    for x, y in single_ring(annotation):
        yield x / candidate.width_px
        yield y / candidate.height_px


YOLO_DETECT = Format(
    name="yolo-detect",
    title="YOLO detection",
    open=partial(YoloWriter, shape=to_box),
    reading="""\
from ultralytics import YOLO  # needs the splits train and val
YOLO("yolo11n.pt").train(data="{out}/data.yaml")""",
)
YOLO_SEGMENT = Format(
    name="yolo-segment",
    title="YOLO segmentation",
    open=partial(YoloWriter, shape=to_polygon),
    reading="""\
from ultralytics import YOLO  # needs the splits train and val
YOLO("yolo11n-seg.pt").train(data="{out}/data.yaml")""",
)
