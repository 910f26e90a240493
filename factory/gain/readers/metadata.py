"""Metadata files of a dataset: further columns of its images, by file name."""

import csv
import json
from pathlib import Path

from chatgenimage.factory.errors import BadDataset

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
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


def _read_jsonl(path: Path) -> list[dict[str, object]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except ValueError as error:
        raise BadDataset(f"{path} cannot be read as lines of JSON: {error}") from error
