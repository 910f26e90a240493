"""JSON list that is written item by item."""

import json
from typing import TextIO


class ListFile:
    """Writes items one by one, each on its own line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._file.write("[")
        self._separator = "\n"

    def add(self, item: object) -> None:
        """Write an item."""
        self._file.write(self._separator + json.dumps(item, ensure_ascii=False))
        self._separator = ",\n"

    def close(self) -> None:
        """End the list."""
        self._file.write("\n]\n")
        self._file.close()
