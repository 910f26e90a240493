"""COCO: images and a JSON file per split with boxes and masks, as RLE or polygons."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.listfile import ListFile
from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.factory.export.outlines import polygons_of
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.splits import usual_name
from chatgenimage.factory.export.trainers import RF_DETR_TRAINER, torchvision_coco


@dataclass(frozen=True, slots=True)
class CocoLayout:
    """Paths of the files; `{split}` is replaced by the split's name.

    Attributes:
        val: Name of the split for validation; empty if splits keep their names.
    """

    images: str
    file: str
    val: str = ""

    def images_of(self, split: str) -> str:
        """Return the folder of a split's images."""
        return self.images.format(split=self._name_of(split))

    def file_of(self, split: str) -> str:
        """Return the JSON file of a split."""
        return self.file.format(split=self._name_of(split))

    def _name_of(self, split: str) -> str:
        return usual_name(split, self.val) if self.val else split


COMMON = CocoLayout(images="images/{split}", file="annotations/instances_{split}.json")
ROBOFLOW = CocoLayout(images="{split}", file="{split}/_annotations.coco.json", val="valid")


class CocoWriter:
    """Writes images immediately, and each JSON file in parts that are joined at the end."""

    def __init__(self, folder: Folder, plan: Plan, layout: CocoLayout = COMMON) -> None:
        self._folder = folder
        self._plan = plan
        self._layout = layout
        self._category_ids = {label: index + 1 for label, index in plan.class_ids().items()}
        self._parts = {split: _Parts(folder, layout.file_of(split)) for split in plan.counts}

    def add(self, sample: Sample) -> None:
        """Write a sample's image, record and annotations."""
        images = self._layout.images_of(sample.split)
        self._folder.put_image(f"{images}/{sample.file_name}", sample)
        parts = self._parts[sample.split]
        parts.images.add(_image(sample))
        for found in sample.objects:
            parts.annotations.add(self._annotation(found))

    def close(self) -> None:
        """Write the JSON files."""
        for parts in self._parts.values():
            parts.join(self._head())

    def _head(self) -> dict[str, Any]:
        """Return all keys of the file but `images` and `annotations`."""
        # The date of the newest image, not today's: equal rows give equal files.
        made_at = datetime.fromtimestamp(self._plan.made_at, UTC)
        return {
            "info": {
                "description": "Images and annotations made by models (ChatGenImage data factory).",
                "version": "1.0",
                "year": made_at.year,
                "date_created": made_at.isoformat(timespec="seconds"),
            },
            "licenses": [],
            "categories": [
                {"id": category_id, "name": label, "supercategory": ""}
                for label, category_id in self._category_ids.items()
            ],
        }

    def _annotation(self, found: ExportedObject) -> dict[str, Any]:
        """Return the annotation of an object; `bbox` is [x, y, width, height] in pixels."""
        return {
            "id": found.id,
            "image_id": found.candidate_id,
            "category_id": self._category_ids[found.label],
            "bbox": found.box_xywh,
            "segmentation": self._segmentation(found),
            "area": found.area_px,
            "iscrowd": 0,  # each annotation is one object
            "score": found.confidence,
        }

    def _segmentation(self, found: ExportedObject) -> object:
        if self._plan.masks == "polygons":
            return [ring.ravel().tolist() for ring in polygons_of(found)]
        return found.rle


class _Parts:
    """The two long lists of a JSON file, each in its own file until it is complete."""

    def __init__(self, folder: Folder, relative: str) -> None:
        self._whole = folder.place(relative)
        self.images = ListFile(folder.open_text(f"{relative}.images"))
        self.annotations = ListFile(folder.open_text(f"{relative}.annotations"))

    def join(self, head: dict[str, Any]) -> None:
        """Write the whole file and remove the parts."""
        self.images.close()
        self.annotations.close()
        with self._whole.open("w", encoding="utf-8", newline="") as whole:
            whole.write(json.dumps(head, ensure_ascii=False)[:-1])
            for name in ("images", "annotations"):
                whole.write(f', "{name}": ')
                path = self._whole.with_name(f"{self._whole.name}.{name}")
                with path.open(encoding="utf-8", newline="") as part:
                    shutil.copyfileobj(part, whole)
                path.unlink()
            whole.write("}\n")


def _image(sample: Sample) -> dict[str, Any]:
    width, height = sample.size_wh
    return {
        "id": sample.candidate.id,
        "file_name": sample.file_name,
        "width": width,
        "height": height,
        **sample.metadata,
    }


COCO = Format(
    name="coco",
    title="COCO detection and segmentation",
    open=CocoWriter,
    masks=("rle", "polygons"),
    trainers=(torchvision_coco(COMMON.images_of("train"), COMMON.file_of("train")),),
    reading="""\
from pycocotools.coco import COCO
coco = COCO("{out}/annotations/instances_{split}.json")

import fiftyone as fo  # or FiftyOne
dataset = fo.Dataset.from_dir(
    dataset_type=fo.types.COCODetectionDataset,
    data_path="{out}/images/{split}",
    labels_path="{out}/annotations/instances_{split}.json",
    label_types=["detections", "segmentations"],
)""",
)
RF_DETR = Format(
    name="rf-detr",
    title="COCO as RF-DETR and Roboflow have it",
    open=partial(CocoWriter, layout=ROBOFLOW),
    masks=("polygons", "rle"),
    splits="train=0.8,val=0.2",
    validation="required",
    trainers=(
        RF_DETR_TRAINER,
        torchvision_coco(ROBOFLOW.images_of("train"), ROBOFLOW.file_of("train")),
    ),
    reading="""\
from pycocotools.coco import COCO
coco = COCO("{out}/train/_annotations.coco.json")""",
)
