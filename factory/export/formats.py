"""The registry: every format that `factory export` knows."""

from factory.asked import check_name
from factory.export.base import Format
from factory.export.coco import COCO, FIFTYONE_FORMAT
from factory.export.image_folder import IMAGE_FOLDER
from factory.export.label_studio import LABEL_STUDIO
from factory.export.parquet import PARQUET
from factory.export.triplets import TRIPLETS
from factory.export.voc import VOC
from factory.export.web_dataset import WEBDATASET
from factory.export.yolo import YOLO_DETECT, YOLO_SEGMENT

FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        COCO,
        YOLO_DETECT,
        YOLO_SEGMENT,
        VOC,
        IMAGE_FOLDER,
        PARQUET,
        WEBDATASET,
        TRIPLETS,
        LABEL_STUDIO,
        FIFTYONE_FORMAT,
    )
}


def get_format(name: str) -> Format:
    """Return a format by its name.

    Raises:
        UnknownName: If there is none of that name.
    """
    return FORMATS[check_name("format", name, tuple(FORMATS))]
