"""Reason in a worker's log: the error that ended it, for the terminal that started it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

TAIL_BYTES = 200_000
MOST_CHARACTERS = 500
ERROR_LEVELS = frozenset({"error", "critical"})
ERROR_KEYS = ("error", "reason")
CUT_EVENT = '{"'
"""A line that begins so and is no JSON is an event of which a full disk took the end."""


def find_reason(log: Path, start: int) -> str | None:
    """Return the error that a worker wrote into its log, in one line; None: it wrote none.

    It is the last logged error (of one with a traceback and no reason, the traceback's last line),
    else the last line that is not a log line: commands print expected errors so, and Python
    tracebacks.

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
    events = [event for event in map(_event, lines) if event.get("level") in ERROR_LEVELS]
    reasons = [reason for event in events for reason in _reasons(event)]
    return reasons[-1] if reasons else None


def _reasons(event: Mapping[str, object]) -> Iterator[str]:
    """Yield what an event says of its error, each in one line."""
    texts = [str(event.get(key) or "").strip() for key in ERROR_KEYS]
    yield from (text.splitlines()[0] for text in texts if text)
    traceback = str(event.get("exception") or "").strip()
    if traceback and not any(texts):
        yield traceback.splitlines()[-1].strip()


def _last_text(lines: Iterable[str]) -> str | None:
    whole = (line.strip() for line in lines if not _event(line))
    texts = [line for line in whole if line and not line.startswith(CUT_EVENT)]
    return texts[-1] if texts else None


def _event(line: str) -> dict[str, object]:
    """Return a log line as an event; empty if it is another line."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
