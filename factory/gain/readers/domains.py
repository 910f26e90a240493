"""Domains of a test set: by folder, by split, or by a column of its metadata."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.dataset import SPLITS, Dataset, Entry
from chatgenimage.factory.gain.readers.metadata import METADATA_FILES, read_metadata
from chatgenimage.factory.gain.values import NO_DOMAIN, LabelledImage

SHOWN = 8


def with_domains(dataset: Dataset, entries: list[Entry], column: str | None) -> list[LabelledImage]:
    """Return the images of entries with their domains.

    Args:
        dataset: Where they are from.
        entries: Some of its entries.
        column: A field of COCO's image entries, or a column of metadata.csv, .jsonl or .parquet
            in the dataset's folder; None: the folder below that of the images, or the split.

    Raises:
        BadDataset: If an image has no value in the column.
    """
    if column is None:
        domains = [_by_folder(entry) for entry in entries]
    else:
        table = read_metadata(dataset.path)
        domains = [_by_column(dataset, entry, column, table) for entry in entries]
    return [
        replace(entry.image, domain=domain) for entry, domain in zip(entries, domains, strict=True)
    ]


def _by_folder(entry: Entry) -> str:
    if entry.image.domain:
        return entry.image.domain
    folders = PurePosixPath(_file_name(entry)).parts[:-1]
    if folders and entry.image.label is None:  # for classification the folder is the class
        return folders[0]
    return NO_DOMAIN if entry.split.lower() in SPLITS else entry.split


def _by_column(
    dataset: Dataset, entry: Entry, column: str, table: Mapping[str, Mapping[str, object]]
) -> str:
    """Return the domain of an image: the value of a column of the table or of its own entry.

    Raises:
        BadDataset: If it has no such value.
    """
    name = _file_name(entry)
    row = table.get(name) or table.get(PurePosixPath(name).name) or {}
    value = row.get(column, (entry.row or {}).get(column))
    if value in (None, ""):
        known = sorted({*row, *(entry.row or {})})
        raise BadDataset(
            f"--domains-from {column}: {entry.image.name} has no such value. It has: "
            f"{', '.join(known[:SHOWN]) or 'nothing'}. Name a field of COCO's image entries, or "
            f"write {dataset.path / METADATA_FILES[0]} with the columns file_name and {column}."
        )
    return str(value)


def _file_name(entry: Entry) -> str:
    return str((entry.row or {}).get("file_name", entry.image.name))
