"""Label Studio: tasks with the models' boxes or outlines as predictions to correct.

An object is a box or a polygon, never both: Label Studio's converter would export it twice.
"""

from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.listfile import ListFile
from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.factory.export.outlines import single_ring
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.reports.overlay import colours_of

TASKS_FILE = "tasks.json"
CONFIG_FILE = "label_config.xml"
BOXES, POLYGONS, IMAGE = "boxes", "polygons", "image"


class LabelStudioWriter:
    """Writes `images/`, tasks.json to import and label_config.xml to set up the project."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._out_name = plan.out_name
        self._has_polygons = plan.masks == "polygons"
        self._tasks = ListFile(folder.open_text(TASKS_FILE))
        config = ET.tostring(
            _config(plan.classes, has_polygons=self._has_polygons), encoding="unicode"
        )
        folder.put_text(CONFIG_FILE, config + "\n")

    def add(self, sample: Sample) -> None:
        """Write a sample's image and its task."""
        inside = f"images/{sample.split}/{sample.file_name}"
        self._folder.put_image(inside, sample)
        served = quote(f"{self._out_name}/{inside}")
        shown = {IMAGE: f"/data/local-files/?d={served}", "split": sample.split}
        self._tasks.add(
            {
                "data": shown | sample.metadata,
                "predictions": [_prediction(sample, has_polygons=self._has_polygons)],
            }
        )

    def close(self) -> None:
        """End the list of tasks."""
        self._tasks.close()


def _config(classes: tuple[str, ...], *, has_polygons: bool) -> ET.Element:
    """Return the labelling interface: the image, and a tool with each class in its colour."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    if has_polygons:
        control = ET.SubElement(view, "PolygonLabels", name=POLYGONS, toName=IMAGE)
    else:
        # Label Studio's YOLO and VOC exports write a rotated box as if it were not rotated.
        control = ET.SubElement(
            view, "RectangleLabels", name=BOXES, toName=IMAGE, canRotate="false"
        )
    for label, colour in colours_of(classes).items():
        background = "#{:02x}{:02x}{:02x}".format(*colour)
        ET.SubElement(control, "Label", value=label, background=background)
    ET.indent(view)
    return view


def _prediction(sample: Sample, *, has_polygons: bool) -> dict[str, Any]:
    detector = (sample.candidate.labelled_by or {}).get("detector", {})
    confidences = [found.confidence for found in sample.objects]
    region = _polygon if has_polygons else _box
    return {
        "model_version": f"{detector.get('family')}@{detector.get('revision')}",
        "score": min(confidences, default=0.0),  # sorting by it shows the least certain first
        "result": [_common(found, sample) | region(found, sample) for found in sample.objects],
    }


def _common(found: ExportedObject, sample: Sample) -> dict[str, Any]:
    width, height = sample.size_wh
    return {
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": found.confidence,
    }


def _box(found: ExportedObject, sample: Sample) -> dict[str, Any]:
    """Return an object's box; sides are percentages of the image's sides."""
    x_min, y_min, x_max, y_max = found.box_xyxy
    width, height = sample.size_wh
    value = {
        "x": 100 * x_min / width,
        "y": 100 * y_min / height,
        "width": 100 * (x_max - x_min) / width,
        "height": 100 * (y_max - y_min) / height,
        "rotation": 0,
        "rectanglelabels": [found.label],
    }
    return {
        "id": f"box-{found.id}",
        "from_name": BOXES,
        "type": "rectanglelabels",
        "value": value,
    }


def _polygon(found: ExportedObject, sample: Sample) -> dict[str, Any]:
    width, height = sample.size_wh
    points = [[100 * int(x) / width, 100 * int(y) / height] for x, y in single_ring(found)]
    value = {"points": points, "closed": True, "polygonlabels": [found.label]}
    return {
        "id": f"mask-{found.id}",
        "from_name": POLYGONS,
        "type": "polygonlabels",
        "value": value,
    }


LABEL_STUDIO = Format(
    name="label-studio",
    title="Label Studio import",
    open=LabelStudioWriter,
    masks=("none", "polygons"),
    reading="""\
# Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
# LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<the folder above this one>. Make a project with
# label_config.xml, add this folder as local storage (no sync), and import tasks.json.
import json
tasks = json.load(open("{out}/tasks.json", encoding="utf-8"))""",
)
