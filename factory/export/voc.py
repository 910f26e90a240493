"""Pascal VOC: an XML file of boxes for each image, and the list of each split."""

import re
from xml.etree import ElementTree as ET

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.factory.export.sample import Sample

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class VocWriter:
    """Writes `JPEGImages/`, `Annotations/` and `ImageSets/Main/`; images stay lossless PNG."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._lists = {
            split: folder.open_text(f"ImageSets/Main/{split}.txt") for split in plan.counts
        }

    def add(self, sample: Sample) -> None:
        """Write a sample's image and its XML file."""
        self._folder.put_image(f"JPEGImages/{sample.file_name}", sample)
        text = ET.tostring(_tree(sample), encoding="unicode")
        self._folder.put_text(f"Annotations/{sample.name}.xml", f"{text}\n")
        self._lists[sample.split].write(f"{sample.name}\n")

    def close(self) -> None:
        """End the lists."""
        for file in self._lists.values():
            file.close()


def _tree(sample: Sample) -> ET.Element:
    root = ET.Element("annotation")
    _put(root, "folder", "JPEGImages")
    _put(root, "filename", sample.file_name)
    size = ET.SubElement(root, "size")
    for name, value in zip(("width", "height"), sample.size_wh, strict=True):
        _put(size, name, value)
    _put(size, "depth", 3)
    _put(root, "segmented", 0)
    for found in sample.objects:
        root.append(_object(found))
    ET.indent(root)
    return root


def _object(found: ExportedObject) -> ET.Element:
    """Return an object; VOC counts pixels from 1 and includes the last one."""
    x_min, y_min, x_max, y_max = (round(side) for side in found.box_xyxy)
    corners = {
        "xmin": x_min + 1,
        "ymin": y_min + 1,
        "xmax": max(x_max, x_min + 1),
        "ymax": max(y_max, y_min + 1),
    }
    element = ET.Element("object")
    _put(element, "name", found.label)
    _put(element, "pose", "Unspecified")
    _put(element, "truncated", 0)
    _put(element, "difficult", 0)
    box = ET.SubElement(element, "bndbox")
    for name, value in corners.items():
        _put(box, name, value)
    return element


def _put(parent: ET.Element, name: str, value: object) -> None:
    ET.SubElement(parent, name).text = _NOT_XML.sub(" ", str(value))


VOC = Format(
    name="voc",
    title="Pascal VOC",
    open=VocWriter,
    reading="""\
import supervision as sv
dataset = sv.DetectionDataset.from_pascal_voc("{out}/JPEGImages", "{out}/Annotations")""",
)
