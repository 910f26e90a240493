"""Parquet in the columns of transformers' object detection examples."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.objects import ExportedObject
from chatgenimage.factory.export.outlines import polygons_of
from chatgenimage.factory.export.parquet import ParquetShard, Row, png
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.shards import Shards
from chatgenimage.factory.export.splits import usual_name
from chatgenimage.factory.export.trainers import TRANSFORMERS_DETECTION as TRAINER

VAL = "validation"


def _open(folder: Folder, plan: Plan) -> Shards:
    """Return a writer of shards with the columns that detection trainers read."""
    from datasets import ClassLabel, Features, Image, List, Value

    objects = {
        "id": List(Value("int64")),
        "area": List(Value("int64")),
        "bbox": List(List(Value("float32"), length=4)),
        "category": List(ClassLabel(names=list(plan.classes))),
        "iscrowd": List(Value("int64")),
        "segmentation": List(List(List(Value("float32")))),
    }
    if plan.masks == "none":
        del objects["segmentation"]
    features = Features(
        {
            "image_id": Value("int64"),
            "image": Image(),
            "width": Value("int64"),
            "height": Value("int64"),
            "objects": objects,
        }
    )
    begin = partial(ParquetShard, features=features, to_row=partial(_row, columns=tuple(objects)))
    return Shards(folder, plan.counts, _shard_name, begin)


def _row(sample: Sample, columns: Collection[str]) -> Row:
    width, height = sample.size_wh
    objects = [_properties(found, columns) for found in sample.objects]
    return {
        "image_id": sample.candidate.id,
        "image": png(sample),
        "width": width,
        "height": height,
        "objects": {name: [each[name] for each in objects] for name in columns},
    }


def _properties(found: ExportedObject, columns: Collection[str]) -> dict[str, Any]:
    """Return the values of an object; its polygons too, if that is a column."""
    properties = {
        "id": found.id,
        "area": found.area_px,
        "bbox": found.box_xywh,
        "category": found.label,
        "iscrowd": 0,
    }
    if "segmentation" in columns:
        # DETR's processor draws masks from polygons; compressed RLE is an error there.
        properties["segmentation"] = [ring.ravel().tolist() for ring in polygons_of(found)]
    return properties


def _shard_name(split: str, number: int, total: int) -> str:
    return f"data/{usual_name(split, VAL)}-{number:05d}-of-{total:05d}.parquet"


def _hub(plan: Plan) -> Mapping[str, Any]:
    names = [usual_name(split, VAL) for split in plan.counts]
    files = [{"split": name, "path": f"data/{name}-*"} for name in names]
    return {
        "task_categories": ["object-detection"],
        "configs": [{"config_name": "default", "data_files": files}],
    }


TRANSFORMERS_DETECTION = Format(
    name="transformers-detection",
    title="Parquet for transformers' object detection",
    open=_open,
    splits="train=0.8,val=0.1,test=0.1",
    validation="required",
    masks=("polygons", "none"),
    modules=("datasets", "pyarrow"),
    trainers=(TRAINER,),
    hub=_hub,
    reading="""\
# python run_object_detection.py --dataset_name {out} ... (transformers' example, which needs a
# split test as well)
import os
from datasets import load_dataset
dataset = load_dataset(os.path.abspath("{out}"))""",
)
