"""Reader of label lists: lines of text, CSV, JSONL, standard input.

Entries are parsed here, not validated: an entry may be wrong, and says where it is.
"""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from chatgenimage.factory.settings.validation_errors import nearest

STDIN = "-"
NUMBERS = ("per_label", "accepted", "max_images")
COLUMNS = ("label", *NUMBERS, "mode", "domains")
MAX_BYTES = 32 * 2**20
"""Size limit of a list; enough for more than a million labels."""
TOO_LONG = f"is larger than {MAX_BYTES // 2**20} MiB; submit it in parts"
SHOWN_LENGTH = 24


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """An unvalidated entry of a list.

    Attributes:
        where: Its position, e.g. "pets.txt, line 3".
        label: Normally text; JSONL may contain any JSON value.
        columns: Its other values, by column.
        problem: Why the entry cannot be read; None: it can.
    """

    where: str
    label: object
    columns: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None


def read_file(path: Path, stdin: BinaryIO | None = None) -> Iterator[LabelEntry]:
    """Return the entries of a file; the file's ending gives the format.

    Args:
        path: .csv, .jsonl, or any other file with one label per line; "-" is standard input.
        stdin: The stream to read for "-"; None: the process's standard input.
    """
    if str(path) == STDIN:
        return read_stdin(stdin)
    try:
        with path.expanduser().open("rb") as file:
            text = _read_text(file)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; check the path"
        return iter([LabelEntry(str(path), None, problem=problem)])
    except ValueError as error:
        return iter([LabelEntry(str(path), None, problem=str(error))])
    match path.suffix.lower():
        case ".csv":
            return _read_csv(text, path.name)
        case ".jsonl" | ".ndjson":
            return _read_jsonl(text, path.name)
        case _:
            return _read_lines(text, path.name)


def read_stdin(stdin: BinaryIO | None = None) -> Iterator[LabelEntry]:
    """Return the lines of `stdin`; None: the process's standard input."""
    try:
        text = _read_text(stdin or sys.stdin.buffer)
    except ValueError as error:
        return iter([LabelEntry("standard input", None, problem=str(error))])
    return _read_lines(text, "standard input")


def shorten(value: object) -> str:
    """Return a value for a message: quoted, and shortened if it is long."""
    return repr(_cut(value if isinstance(value, str) else json.dumps(value)))


def _read_text(file: BinaryIO) -> str:
    """Return a file's content as text with uniform line endings.

    Raises:
        ValueError: If it is too long or not UTF-8.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(TOO_LONG)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_lines(text: str, name: str) -> Iterator[LabelEntry]:
    for where, line in _lines(text, name):
        yield LabelEntry(where, line)


def _read_csv(text: str, name: str) -> Iterator[LabelEntry]:
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    header = [column.strip() for column in rows.fieldnames or ()]
    if problem := _header_problem(header):
        yield LabelEntry(name, None, problem=problem)
        return
    rows.fieldnames = header
    try:
        for row in rows:
            where = f"{name}, line {rows.line_num}"
            if None in row:
                yield LabelEntry(
                    where, None, problem=f"has more cells than the header ({len(header)})"
                )
            elif any(row.values()):
                yield LabelEntry(where, row["label"] or "", row)
    except csv.Error as error:
        yield LabelEntry(
            f"{name}, line {rows.line_num}", None, problem=f"is not valid CSV: {error}"
        )


def _header_problem(header: Sequence[str]) -> str | None:
    if "label" not in header:
        found = ", ".join(repr(_cut(column)) for column in header) or "nothing"
        return f"the header has no column `label`; found {found}; write `label` in the first line"
    if len(set(header)) < len(header):
        return "the header contains a column twice"
    unknown = next((column for column in header if column not in COLUMNS), None)
    return None if unknown is None else _tell_unknown("column", unknown)


def _read_jsonl(text: str, name: str) -> Iterator[LabelEntry]:
    for where, line in _lines(text, name):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = "is nested too deeply" if isinstance(error, RecursionError) else error
            yield LabelEntry(where, None, problem=f"is not valid JSON: {problem}")
            continue
        yield _entry_of_object(where, values)


def _entry_of_object(where: str, values: object) -> LabelEntry:
    if not isinstance(values, Mapping) or "label" not in values:
        return LabelEntry(where, None, problem='expected an object like {"label": "dog"}')
    unknown = next((key for key in values if key not in COLUMNS), None)
    if unknown is not None:
        return LabelEntry(where, None, problem=_tell_unknown("key", unknown))
    return LabelEntry(where, values["label"], values)


def _tell_unknown(kind: str, name: str) -> str:
    return f"unknown {kind} {shorten(name)}; expected {' or '.join(nearest(name, COLUMNS))}"


def _lines(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield f"{name}, line {number}", line


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 3]}..."
