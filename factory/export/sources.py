"""Table of a person's pictures in an export: which file became which image."""

import csv
from typing import Any

from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.sample import Sample

SOURCES_FILE = "sources.csv"
COLUMNS = (
    "file_name",
    "split",
    "width",
    "height",
    "candidate_id",
    "source_name",
    "source_width",
    "source_height",
)


class SourcesFile:
    """Writes `sources.csv`, a line for each imported picture; without one there is no file."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._table: csv.DictWriter[str] | None = None

    def add(self, sample: Sample) -> None:
        """Write the line of a sample, if it is a person's picture."""
        if sample.candidate.source_name is None:
            return
        width, height = sample.size_wh
        own: dict[str, Any] = {"file_name": sample.file_name, "split": sample.split}
        self._open().writerow({**sample.metadata, **own, "width": width, "height": height})

    def _open(self) -> "csv.DictWriter[str]":
        if self._table is None:
            file = self._folder.open_text(SOURCES_FILE)
            self._table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
            self._table.writeheader()
        return self._table
