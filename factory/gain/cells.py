"""Cells of the table: one file for each finished training, so that nothing is trained twice."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatgenimage.factory.atomic_write import write_file
from chatgenimage.factory.gain.metrics import Measured

CELLS = "cells"
FORMAT = 1
"""Raised when equal inputs would give other values than before."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The result of one training.

    Attributes:
        fingerprint: Hash of everything that decides the values.
        seconds: Duration of training and prediction.
    """

    arm: str
    seed: int
    fingerprint: str
    seconds: float
    values: tuple[Measured, ...]


def fingerprint_of(inputs: dict[str, Any]) -> str:
    """Return a hash of JSON-serialisable inputs."""
    text = json.dumps({"format": FORMAT, **inputs}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find_cell(out_dir: Path, fingerprint: str) -> Cell | None:
    """Return the finished cell with these inputs, None if there is none or its file is damaged."""
    try:
        known = json.loads(_path_of(out_dir, fingerprint).read_text(encoding="utf-8"))
        values = tuple(Measured(**value) for value in known.pop("values"))
        return Cell(values=values, **known)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_cell(out_dir: Path, cell: Cell) -> None:
    """Write a cell; its file is complete or absent."""
    text = json.dumps(asdict(cell), indent=1, ensure_ascii=False)
    write_file(_path_of(out_dir, cell.fingerprint), text.encode())


def hash_all(digests: Sequence[str]) -> str:
    """Return one hash of several, in this order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _path_of(out_dir: Path, fingerprint: str) -> Path:
    return out_dir / CELLS / f"{fingerprint[:32]}.json"
