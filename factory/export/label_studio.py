"""Label Studio: tasks with the models' boxes and masks as predictions to correct."""

from collections.abc import Iterator
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
        self._tasks = ListFile(folder.open_text(TASKS_FILE))
        config = ET.tostring(_config(plan.classes), encoding="unicode")
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
                "predictions": [_prediction(sample)],
            }
        )

    def close(self) -> None:
        """End the list of tasks."""
        self._tasks.close()


def _config(classes: tuple[str, ...]) -> ET.Element:
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    for tag, name in (("RectangleLabels", BOXES), ("PolygonLabels", POLYGONS)):
        control = ET.SubElement(view, tag, name=name, toName=IMAGE)
        for label, colour in colours_of(classes).items():
            background = "#{:02x}{:02x}{:02x}".format(*colour)
            ET.SubElement(control, "Label", value=label, background=background)
    ET.indent(view)
    return view


def _prediction(sample: Sample) -> dict[str, Any]:
    detector = (sample.candidate.labelled_by or {}).get("detector", {})
    confidences = [found.confidence for found in sample.objects]
    return {
        "model_version": f"{detector.get('family')}@{detector.get('revision')}",
        "score": min(confidences, default=0.0),  # sorting by it shows the least certain first
        "result": [region for found in sample.objects for region in _regions(found, sample)],
    }


def _regions(found: ExportedObject, sample: Sample) -> Iterator[dict[str, Any]]:
    """Yield the box, and the mask's outline as its child."""
    x_min, y_min, x_max, y_max = found.box_xyxy
    width, height = sample.size_wh
    common = {
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": found.confidence,
    }
    box = {
        "x": 100 * x_min / width,
        "y": 100 * y_min / height,
        "width": 100 * (x_max - x_min) / width,
        "height": 100 * (y_max - y_min) / height,
        "rotation": 0,
        "rectanglelabels": [found.label],
    }
    points = [[100 * int(x) / width, 100 * int(y) / height] for x, y in single_ring(found)]
    polygon = {"points": points, "closed": True, "polygonlabels": [found.label]}
    box_id = f"box-{found.id}"
    yield {"id": box_id, "from_name": BOXES, "type": "rectanglelabels", "value": box, **common}
    yield {
        "id": f"mask-{found.id}",
        "parentID": box_id,
        "from_name": POLYGONS,
        "type": "polygonlabels",
        "value": polygon,
        **common,
    }


LABEL_STUDIO = Format(
    name="label-studio",
    title="Label Studio import",
    open=LabelStudioWriter,
    reading="""\
# Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
# LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<the folder above this one>. Make a project with
# label_config.xml, add this folder as local storage (no sync), and import tasks.json.
import json
tasks = json.load(open("{out}/tasks.json", encoding="utf-8"))""",
)
