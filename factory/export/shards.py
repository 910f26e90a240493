"""Shards: files with a fixed number of samples, renamed when they are complete."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.sample import Sample

SAMPLES_PER_SHARD = 1000


class Shard(Protocol):
    """A file of samples."""

    def add(self, sample: Sample) -> None:
        """Write one sample."""
        ...

    def close(self) -> None:
        """End the file."""
        ...


class Shards:
    """Writes each sample to its shard; complete shards of an earlier try are kept."""

    def __init__(
        self,
        folder: Folder,
        counts: Mapping[str, int],
        name: Callable[[str, int, int], str],
        begin: Callable[[Path], Shard],
    ) -> None:
        """Create the writer; no file is opened yet.

        Args:
            folder: Folder to write to.
            counts: Number of samples per split.
            name: Returns the file name for split, shard number (from 0) and number of shards.
            begin: Opens a shard.
        """
        self._folder = folder
        self._counts = counts
        self._name = name
        self._begin = begin
        self._seen: Counter[str] = Counter()
        self._open: dict[str, Shard] = {}
        folder.at_the_end(self._abandon)

    def add(self, sample: Sample) -> None:
        """Write one sample."""
        split = sample.split
        path = self._path_of(split, self._seen[split] // SAMPLES_PER_SHARD)
        if self._seen[split] % SAMPLES_PER_SHARD == 0 and not path.exists():
            self._open[split] = self._begin(_unfinished(path))
        self._seen[split] += 1
        shard = self._open.get(split)
        if shard is None:
            return
        shard.add(sample)
        is_full = self._seen[split] % SAMPLES_PER_SHARD == 0
        if is_full or self._seen[split] == self._counts[split]:
            self._open.pop(split).close()
            _unfinished(path).rename(path)

    def close(self) -> None:
        """Do nothing: each shard is closed after its last sample."""

    def _abandon(self) -> None:
        """Close the open files after an interruption; they keep their unfinished names."""
        while self._open:
            self._open.popitem()[1].close()

    def _path_of(self, split: str, number: int) -> Path:
        total = -(-self._counts[split] // SAMPLES_PER_SHARD)
        return self._folder.place(self._name(split, number, total))


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")
