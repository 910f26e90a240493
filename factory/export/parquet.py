"""Parquet for the hub's `datasets`: embedded images, shards, typed features."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatgenimage.factory.export.base import Format, Plan, objects_in_columns
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.records import NO_CLASS_ID
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.shards import Shards

if TYPE_CHECKING:
    from datasets import Features

ROWS_PER_GROUP = 50
"""Most images in memory at once."""

Row = Mapping[str, Any]


class ParquetShard:
    """One Parquet file, written one row group at a time."""

    def __init__(self, path: Path, features: "Features", to_row: Callable[[Sample], Row]) -> None:
        from pyarrow import parquet

        self._features = features
        self._to_row = to_row
        self._file = parquet.ParquetWriter(path, features.arrow_schema)
        self._rows: list[Row] = []

    def add(self, sample: Sample) -> None:
        """Add a sample, and write the group when it is full."""
        self._rows.append(self._features.encode_example(self._to_row(sample)))
        if len(self._rows) == ROWS_PER_GROUP:
            self._write()

    def close(self) -> None:
        """Write the last group and end the file."""
        if self._rows:
            self._write()
        self._file.close()

    def _write(self) -> None:
        import pyarrow as pa

        self._file.write_table(pa.Table.from_pylist(self._rows, self._features.arrow_schema))
        self._rows.clear()


def open_shards(
    folder: Folder, plan: Plan, features: "Features", to_row: Callable[[Sample], Row]
) -> Shards:
    """Return a writer of `data/<split>-<number>-of-<total>.parquet`."""
    begin = partial(ParquetShard, features=features, to_row=to_row)
    return Shards(folder, plan.counts, _shard_name, begin)


def hub_files(plan: Plan) -> list[dict[str, Any]]:
    """Return the hub's configuration of the splits' files."""
    files = [{"split": split, "path": f"data/{split}-*"} for split in plan.counts]
    return [{"config_name": "default", "data_files": files}]


def png(sample: Sample) -> dict[str, Any]:
    """Return a sample's image in the form of the `Image` feature."""
    return {"bytes": sample.read_image(), "path": sample.file_name}


def _shard_name(split: str, number: int, total: int) -> str:
    return f"data/{split}-{number:05d}-of-{total:05d}.parquet"


def _open(folder: Folder, plan: Plan) -> Shards:
    """Return a writer of shards with all columns of a candidate."""
    from datasets import ClassLabel, Features, Image, List, Value

    names = list(plan.classes)
    features = Features(
        {
            "image": Image(),
            "candidate_id": Value("int64"),
            "parent_id": Value("int64"),
            "run_id": Value("int64"),
            "label": ClassLabel(names=names),
            "origin": Value("string"),
            "round": Value("int64"),
            "verdict": Value("string"),
            "mark": Value("string"),
            "caption": Value("string"),
            "prompt": Value("string"),
            "negative_prompt": Value("string"),
            "source_name": Value("string"),
            "source_width": Value("int64"),
            "source_height": Value("int64"),
            "domain": Value("string"),
            "objects": {
                "id": List(Value("int64")),
                "bbox": List(List(Value("float32"), length=4)),
                "category": List(ClassLabel(names=names)),
                "area": List(Value("int64")),
                "score": List(Value("float32")),
                "segmentation": List(
                    {"size": List(Value("int32"), length=2), "counts": Value("string")}
                ),
            },
        }
    )
    return open_shards(folder, plan, features, partial(_row, class_ids=plan.class_ids()))


def _row(sample: Sample, class_ids: Mapping[str, int]) -> Row:
    return {
        "image": png(sample),
        **sample.metadata,
        "label": class_ids.get(sample.label, NO_CLASS_ID),
        "objects": objects_in_columns(sample.objects),
    }


def _hub(plan: Plan) -> Mapping[str, Any]:
    return {"task_categories": ["object-detection"], "configs": hub_files(plan)}


PARQUET = Format(
    name="parquet",
    title="Parquet for Hugging Face `datasets`",
    open=_open,
    modules=("datasets", "pyarrow"),
    hub=_hub,
    reading="""\
import os
from datasets import load_dataset
dataset = load_dataset(os.path.abspath("{out}"))""",
)
