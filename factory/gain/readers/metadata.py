"""Metadata files of a dataset: further columns of its images, by file name."""

import csv
import json
from pathlib import Path

from chatgenimage.factory.errors import BadDataset, LibraryMissing
from chatgenimage.factory.gain.readers.dataset import read_lines

METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def read_metadata(folder: Path) -> dict[str, dict[str, object]]:
    """Return the rows of a dataset's metadata file by file name; empty without one."""
    for name in METADATA_FILES:
        path = folder / name
        if path.is_file():
            rows = READERS[path.suffix](path)
            return {str(row["file_name"]): row for row in rows if "file_name" in row}
    return {}


def _read_csv(path: Path) -> list[dict[str, object]]:
    return [dict(row) for row in csv.DictReader(read_lines(path))]


def _read_jsonl(path: Path) -> list[dict[str, object]]:
    try:
        return [json.loads(line) for line in read_lines(path) if line.strip()]
    except ValueError as error:
        raise BadDataset(f"{path} cannot be read as lines of JSON: {error}") from error


def _read_parquet(path: Path) -> list[dict[str, object]]:
    """Return the rows of a Parquet file, without images and objects."""
    try:
        from pyarrow import ArrowInvalid, parquet
    except ModuleNotFoundError as error:
        raise LibraryMissing(f"{path} needs pyarrow: pip install pyarrow") from error
    try:
        table = parquet.read_table(path)
    except ArrowInvalid as error:
        raise BadDataset(f"{path} cannot be read as Parquet: {error}") from error
    rows: list[dict[str, object]] = table.drop_columns(
        [name for name in ("objects", "image") if name in table.column_names]
    ).to_pylist()
    return rows


READERS = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
