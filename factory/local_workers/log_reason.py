"""Reason in a worker's log: the error that ended it, for the terminal that started it."""

import json
from collections.abc import Iterable
from pathlib import Path

TAIL_BYTES = 200_000
MOST_CHARACTERS = 500
ERROR_LEVELS = frozenset({"error", "critical"})
ERROR_KEYS = ("error", "reason")


def find_reason(log: Path, start: int) -> str | None:
    """Return the error that a worker wrote into its log, in one line; None: it wrote none.

    It is the last logged error, else the last line that is not a log line: commands print expected
    errors so, and Python tracebacks.

    Args:
        log: Lines of JSON, and others.
        start: Where the process began to write, bytes.
    """
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = _logged_error(lines) or _last_text(lines)
    return found[:MOST_CHARACTERS] if found else None


def _logged_error(lines: Iterable[str]) -> str | None:
    errors = [
        str(event[key]).strip()
        for event in map(_event, lines)
        if event.get("level") in ERROR_LEVELS
        for key in ERROR_KEYS
        if event.get(key)
    ]
    return errors[-1].splitlines()[0] if errors else None


def _last_text(lines: Iterable[str]) -> str | None:
    texts = [line.strip() for line in lines if line.strip() and not _event(line)]
    return texts[-1] if texts else None


def _event(line: str) -> dict[str, object]:
    """Return a log line as an event; empty if it is another line."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
