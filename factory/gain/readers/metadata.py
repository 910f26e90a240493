"""Metadata files of a dataset: further columns of its images, by file name."""

import csv
import json
from pathlib import Path

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.dataset import read_lines

METADATA_FILES = ("metadata.csv", "metadata.jsonl")


def read_metadata(folder: Path) -> dict[str, dict[str, object]]:
    """Return the rows of a dataset's metadata file by file name; empty without one."""
    for name in METADATA_FILES:
        path = folder / name
        if path.is_file():
            rows = _read_csv(path) if path.suffix == ".csv" else _read_jsonl(path)
            return {str(row["file_name"]): row for row in rows if "file_name" in row}
    return {}


def _read_csv(path: Path) -> list[dict[str, object]]:
    return [dict(row) for row in csv.DictReader(read_lines(path))]


def _read_jsonl(path: Path) -> list[dict[str, object]]:
    try:
        return [json.loads(line) for line in read_lines(path) if line.strip()]
    except ValueError as error:
        raise BadDataset(f"{path} cannot be read as lines of JSON: {error}") from error
