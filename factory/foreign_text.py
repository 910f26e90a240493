r"""Foreign text in output: captions, answers and file names cannot control a terminal or a table.

Models and file names may hold escape sequences, which a terminal obeys: they move the cursor, set
the title, hide text. Everything for a terminal is printed through `SafeConsole`; every CSV cell is
written through `csv_cell`. JSON is exact: it has control characters as `\u001b`.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import PydanticSerializationError
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

BIDI = "\u202a-\u202e\u2066-\u2069"
"""Characters that turn the direction of the text that follows."""
UNPRINTABLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029{BIDI}]")
ANY_CONTROL = re.compile(f"[\t\n]|{UNPRINTABLE.pattern}")
FORMULA_STARTS = ("=", "+", "-", "@")
"""Spreadsheets compute a cell that begins so."""

JSON = TypeAdapter[Any](Any, config=ConfigDict(ser_json_inf_nan="constants"))


class SafeConsole(Console):
    r"""A rich console that prints control characters of any text as `\x1b`, not as they are."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed, cleaned of all but rich's own styles and cursor movements."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            is_clean = control or not UNPRINTABLE.search(text)
            yield segment if is_clean else Segment(printable(text), style)


def printable(text: str) -> str:
    """Return a text without control characters but tabs and line breaks: they are escaped."""
    return UNPRINTABLE.sub(_escape, text)


def csv_cell(value: object) -> object:
    """Return a cell that no spreadsheet computes and no terminal obeys.

    Text that begins with `=`, `+`, `-` or `@` gets an apostrophe before it; control characters,
    line breaks among them, are escaped. Numbers are left as they are.
    """
    if not isinstance(value, str):
        return value
    text = ANY_CONTROL.sub(_escape, value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def to_json(value: object, **options: Any) -> str:  # noqa: ANN401  # of json.dumps
    """Return a value as JSON with readable letters, in which every control character is escaped."""
    return _escape_json(json.dumps(value, ensure_ascii=False, **options))


def to_indented_json(value: object) -> str:
    """Return the same on indented lines; paths become strings.

    The standard library indents in Python, which takes eight times as long: a run with 100,000
    labels has 4 million lines. Its encoder serves only what is no UTF-8: odd names of files.
    """
    try:
        text = JSON.dump_json(value, indent=2).decode()
    except PydanticSerializationError:
        text = json.dumps(value, ensure_ascii=False, indent=2, default=_path_to_json)
    return _escape_json(text)


def _path_to_json(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _escape_json(text: str) -> str:
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    short = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    return short or (f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}")  # noqa: PLR2004
