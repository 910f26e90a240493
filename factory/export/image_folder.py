"""ImageFolder: a folder per label in each split, and metadata.jsonl with all fields."""

import json
from collections.abc import Mapping
from typing import Any

from chatgenimage.db.classes import NO_CLASS
from chatgenimage.factory.export.base import Format, Plan, objects_in_columns
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.names import safe_names
from chatgenimage.factory.export.sample import Sample

NO_PARENT = 0
"""Instead of null: a split without parents must have the same columns as the others."""

NO_OBJECT = "no object"
"""Folder of a person's pictures on which nothing was found."""


class ImageFolderWriter:
    """Writes `<split>/<label>/` for torchvision, with metadata for the hub's tools."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        names = safe_names({*plan.classes, NO_OBJECT})
        self._names = {**names, NO_CLASS: names[NO_OBJECT]}
        self._metadata = {
            split: folder.open_text(f"{split}/metadata.jsonl") for split in plan.counts
        }

    def add(self, sample: Sample) -> None:
        """Write a sample's image and its line of metadata."""
        inside = f"{self._names[sample.label]}/{sample.file_name}"
        self._folder.put_image(f"{sample.split}/{inside}", sample)
        line = {
            "file_name": inside,
            **sample.metadata,
            "parent_id": sample.candidate.parent_id or NO_PARENT,
            "objects": objects_in_columns(sample.objects),
        }
        self._metadata[sample.split].write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """End the metadata."""
        for file in self._metadata.values():
            file.close()


def _hub(plan: Plan) -> Mapping[str, Any]:
    files = [{"split": split, "path": f"{split}/**"} for split in plan.counts]
    return {
        "task_categories": ["image-classification"],
        "configs": [{"config_name": "default", "data_files": files}],
    }


IMAGE_FOLDER = Format(
    name="imagefolder",
    title="ImageFolder with metadata",
    open=ImageFolderWriter,
    hub=_hub,
    reading="""\
from datasets import load_dataset
dataset = load_dataset("{out}")  # with all fields
from torchvision.datasets import ImageFolder
dataset = ImageFolder("{out}/{split}")  # image and label only""",
)
