"""Pascal VOC: an XML file of boxes for each image, and the list of each split."""

import io
import re
from dataclasses import dataclass
from functools import partial
from xml.etree import ElementTree as ET

from PIL import Image

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.splits import usual_name
from chatgenimage.factory.export.trainers import torchvision_voc

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


JPEG_QUALITY = 95
JPEG_SUFFIX = ".jpg"


@dataclass(frozen=True, slots=True)
class VocLayout:
    """Where the files are, and how images are stored.

    Attributes:
        root: Folder of the dataset inside the export.
        is_jpeg: Whether images become JPEG; they stay lossless otherwise.
        has_usual_splits: Whether the lists have the names that torchvision accepts.
    """

    root: str = ""
    is_jpeg: bool = False
    has_usual_splits: bool = False

    def list_of(self, split: str) -> str:
        """Return the name of the list of a split's images."""
        return usual_name(split) if self.has_usual_splits else split


FLAT = VocLayout()
DEVKIT = VocLayout(root="VOCdevkit/VOC2012/", is_jpeg=True, has_usual_splits=True)


class VocWriter:
    """Writes `JPEGImages/`, `Annotations/`, `ImageSets/Main/` and labelmap.txt."""

    def __init__(self, folder: Folder, plan: Plan, layout: VocLayout = FLAT) -> None:
        self._folder = folder
        self._layout = layout
        # No list trainval: Datumaro would read each image twice.
        self._lists = {
            split: folder.open_text(f"{layout.root}ImageSets/Main/{layout.list_of(split)}.txt")
            for split in plan.counts
        }
        folder.put_text(f"{layout.root}labelmap.txt", _label_map(plan.classes))

    def add(self, sample: Sample) -> None:
        """Write a sample's image and its XML file."""
        root = self._layout.root
        name = f"{sample.name}{JPEG_SUFFIX}" if self._layout.is_jpeg else sample.file_name
        if self._layout.is_jpeg:
            self._folder.place(f"{root}JPEGImages/{name}").write_bytes(_to_jpeg(sample))
        else:
            self._folder.put_image(f"{root}JPEGImages/{name}", sample)
        text = ET.tostring(_tree(sample, name), encoding="unicode")
        self._folder.put_text(f"{root}Annotations/{sample.name}.xml", f"{text}\n")
        self._lists[sample.split].write(f"{sample.name}\n")

    def close(self) -> None:
        """End the lists."""
        for file in self._lists.values():
            file.close()


def _to_jpeg(sample: Sample) -> bytes:
    content = sample.read_image()
    if sample.file_name.endswith(JPEG_SUFFIX):  # an original
        return content
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _label_map(classes: tuple[str, ...]) -> str:
    """Return the class names in the form of Datumaro and CVAT, which know no colon in a name."""
    lines = (f"{' '.join(label.replace(':', ' ').split())}:::" for label in classes)
    return "\n".join(["# label:color_rgb:parts:actions", *lines, ""])


def _tree(sample: Sample, file_name: str) -> ET.Element:
    """Return the annotation file of an image."""
    root = ET.Element("annotation")
    _put(root, "folder", "JPEGImages")
    _put(root, "filename", file_name)
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
dataset = sv.DetectionDataset.from_pascal_voc("{out}/JPEGImages", "{out}/Annotations")

from datumaro import Dataset  # or Datumaro; with this option its boxes are exact
dataset = Dataset.import_from("{out}", "voc", coordinate_mode="voc-one-based")""",
)
TORCHVISION_VOC = Format(
    name="torchvision-voc",
    title="Pascal VOC as its development kit has it",
    open=partial(VocWriter, layout=DEVKIT),
    splits="train=0.8,val=0.2",
    validation="required",
    trainers=(torchvision_voc(DEVKIT.root),),
    reading="""\
from torchvision.datasets import VOCDetection
dataset = VOCDetection("{out}", year="2012", image_set="train")""",
)
