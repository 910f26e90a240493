"""Safe names for files and folders, valid on every system for any label."""

import re
import unicodedata
from collections.abc import Iterable

MAX_LENGTH = 60
"""Characters; this is at most 240 bytes, and every file system allows 255."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def safe_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a name for each label; names differ even without regard to case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in sorted(labels):
        name = candidate = _simplified(label)
        number = 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate.casefold())
        names[label] = candidate
    return names


def _simplified(label: str) -> str:
    """Return the letters and digits of any script, with hyphens for everything else."""
    composed = unicodedata.normalize("NFKC", label)
    words = "".join(character if character.isalnum() else " " for character in composed).split()
    name = "-".join(words)[:MAX_LENGTH].strip("-") or "label"
    return f"label-{name}" if _RESERVED.fullmatch(name) else name
