"""Finding of the doctor: a check, its result, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; the text says what to do if something is wrong."""

    name: str
    health: Health
    text: str
