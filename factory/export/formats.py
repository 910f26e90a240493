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

FORMATS: dict[str, Format] = {
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


def get_format(name: str) -> Format:
    """Return a format by its name.

    Raises:
        UnknownName: If there is none of that name.
    """
    return FORMATS[check_name("format", name, FORMATS)]
