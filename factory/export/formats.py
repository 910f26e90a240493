"""Registry of all formats of `factory export`."""

from chatgenimage.factory.export.base import Format
from chatgenimage.factory.export.classification import CLASSIFICATION
from chatgenimage.factory.export.coco import COCO, RF_DETR
from chatgenimage.factory.export.image_folder import IMAGE_FOLDER
from chatgenimage.factory.export.label_studio import LABEL_STUDIO
from chatgenimage.factory.export.parquet import PARQUET
from chatgenimage.factory.export.transformers_detection import TRANSFORMERS_DETECTION
from chatgenimage.factory.export.triplets import TRIPLETS
from chatgenimage.factory.export.voc import TORCHVISION_VOC, VOC
from chatgenimage.factory.export.web_dataset import WEBDATASET
from chatgenimage.factory.export.yolo import YOLO_DETECT, YOLO_SEGMENT
from chatgenimage.factory.query.filters import check_name
from chatgenimage.workers.plugins import load_plugins

OWN_FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        COCO,
        RF_DETR,
        YOLO_DETECT,
        YOLO_SEGMENT,
        VOC,
        TORCHVISION_VOC,
        IMAGE_FOLDER,
        CLASSIFICATION,
        PARQUET,
        TRANSFORMERS_DETECTION,
        WEBDATASET,
        TRIPLETS,
        LABEL_STUDIO,
    )
}


def _find_problem(name: str, value: object) -> str | None:
    if not isinstance(value, Format):
        found = type(value).__name__
        return f"expected a Format of chatgenimage.factory.export.base, found {found}"
    if value.name != name:
        return f"the format is called {value.name!r}; expected the name of the entry point"
    return None


PLUGIN_FORMATS = load_plugins("exporters", OWN_FORMATS, _find_problem)
FORMATS: dict[str, Format] = OWN_FORMATS | {
    name: each.value for name, each in PLUGIN_FORMATS.found.items()
}
"""All formats by name: those of the factory itself, then those of plug-ins."""


def get_format(name: str) -> Format:
    """Return a format by its name.

    Raises:
        PluginBroken: If a plug-in's format cannot be used and the factory has none of that name.
        UnknownName: If there is none of that name.
    """
    if name not in FORMATS:
        PLUGIN_FORMATS.refuse_broken()
    return FORMATS[check_name("format", name, FORMATS)]
