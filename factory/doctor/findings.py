"""Finding of the doctor: a check, its result, and what to do."""

from dataclasses import dataclass
from enum import StrEnum

from chatgenimage.db.errors import StoreError
from chatgenimage.factory.errors import FactoryError
from chatgenimage.workers.errors import WorkerError

EXPECTED = (FactoryError, StoreError, WorkerError, OSError)
"""Errors by which a check fails."""


class Health(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARNING = "warning"
    """A run works, but is slower, or may fail later."""
    WRONG = "wrong"
    """No run of the profile works on this machine, or stored data is damaged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; the text says what to do if something is wrong."""

    name: str
    health: Health
    text: str
