"""ImageFolder: a folder per label in each split, and a metadata file with all fields."""

import importlib.util
import json
from collections.abc import Mapping
from typing import Any, Protocol

from chatgenimage.db.classes import NO_CLASS
from chatgenimage.factory.errors import LibraryMissing
from chatgenimage.factory.export.base import Format, Plan, objects_in_columns
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.names import safe_names
from chatgenimage.factory.export.records import RECORD, TEXT, arrow_schema, describe_columns
from chatgenimage.factory.export.sample import Sample

NO_OBJECT = "no object"
"""Folder of a person's pictures on which nothing was found."""
FILE_NAME: Mapping[str, str] = {"file_name": TEXT}
ROWS_PER_GROUP = 1000


class ImageFolderWriter:
    """Writes `<split>/<label>/` for torchvision, with metadata for the hub's tools."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        names = safe_names({*plan.classes, NO_OBJECT})
        self._names = {**names, NO_CLASS: names[NO_OBJECT]}
        kind = _ParquetLines if _needs_types(plan) else _JsonLines
        self._metadata: dict[str, _Lines] = {split: kind(folder, split) for split in plan.counts}

    def add(self, sample: Sample) -> None:
        """Write a sample's image and its line of metadata."""
        inside = f"{self._names[sample.label]}/{sample.file_name}"
        self._folder.put_image(f"{sample.split}/{inside}", sample)
        objects = objects_in_columns(sample.objects)
        line = {"file_name": inside, **sample.metadata, "objects": objects}
        self._metadata[sample.split].add(line)

    def close(self) -> None:
        """End the metadata."""
        for file in self._metadata.values():
            file.close()


class _Lines(Protocol):
    """A metadata file of a split."""

    def add(self, line: Mapping[str, Any]) -> None:
        """Add the line of one image."""
        ...

    def close(self) -> None:
        """Write what is left and close the file."""
        ...


class _JsonLines:
    """metadata.jsonl, which anything can read."""

    def __init__(self, folder: Folder, split: str) -> None:
        self._file = folder.open_text(f"{split}/metadata.jsonl")

    def add(self, line: Mapping[str, Any]) -> None:
        """Write the line of one image."""
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _ParquetLines:
    """metadata.parquet, which has types of its own."""

    def __init__(self, folder: Folder, split: str) -> None:
        from pyarrow import parquet

        self._schema = arrow_schema(FILE_NAME, RECORD)
        self._file = parquet.ParquetWriter(folder.place(f"{split}/metadata.parquet"), self._schema)
        folder.at_the_end(self._file.close)
        self._rows: list[Mapping[str, Any]] = []

    def add(self, line: Mapping[str, Any]) -> None:
        """Add the row of one image; full groups of rows are written."""
        self._rows.append(line)
        if len(self._rows) == ROWS_PER_GROUP:
            self._write()

    def close(self) -> None:
        """Write the rows that are left and close the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        import pyarrow as pa

        self._file.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows.clear()


def _needs_types(plan: Plan) -> bool:
    """Return whether JSON would not do: `datasets` infers other types for a split without objects.

    It compares the types of the splits' files before it looks at the card.

    Raises:
        LibraryMissing: If the library for files with types is not installed.
    """
    if plan.splits_with_objects in (set(), set(plan.counts)):
        return False
    if importlib.util.find_spec("pyarrow") is None:
        without = ", ".join(sorted(set(plan.counts) - plan.splits_with_objects))
        raise LibraryMissing(
            f"no image of these splits has an object: {without}. Their metadata must be Parquet, "
            "so that `datasets` can read it; install pyarrow: pip install "
            "'chatgenimage-factory[export]'."
        )
    return True


def _hub(plan: Plan) -> Mapping[str, Any]:
    files = [{"split": split, "path": f"{split}/**"} for split in plan.counts]
    features = [{"name": "image", "dtype": "image"}, *describe_columns(RECORD)]
    return {
        "task_categories": ["image-classification"],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": features},
    }


IMAGE_FOLDER = Format(
    name="imagefolder",
    title="ImageFolder with metadata",
    open=ImageFolderWriter,
    hub=_hub,
    reading="""\
import os
from datasets import load_dataset
dataset = load_dataset(os.path.abspath("{out}"))  # with all fields
from torchvision.datasets import ImageFolder
dataset = ImageFolder("{out}/{split}")  # image and label only""",
)
