"""Reader of label lists: lines of text, CSV, JSONL, standard input.

Entries are parsed here, not validated: an entry may be wrong, and says where it is.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from chatgenimage.factory.settings.validation_errors import nearest
from chatgenimage.factory.submission.label_readers import find_reader

STDIN = "-"
NUMBERS = ("per_label", "accepted", "max_images")
WORDS = ("class", "prompt", "detect")
OPTIONS = ("mode", "domains", "style", "negative_prompt", "size")
COLUMNS = ("label", *WORDS, *NUMBERS, *OPTIONS)
DELIMITERS = (",", ";", "\t")
EXCEL_HINT = "sep="
"""First line by which Excel notes the delimiter."""
NUMBERED = re.compile(r"\d+[.)]\s")
MAX_BYTES = 32 * 2**20
"""Size limit of a list; enough for more than a million labels."""
TOO_LONG = f"is larger than {MAX_BYTES // 2**20} MiB; submit it in parts"
SHOWN_LENGTH = 24
NO_PLACES: Mapping[str, str] = MappingProxyType({})
"""Places of labels that were read nowhere."""


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """An unvalidated entry of a list.

    Attributes:
        where: Its position, e.g. "pets.txt, line 3".
        label: Normally text; JSONL may contain any JSON value.
        columns: Its other values, by column.
        problem: Why the entry cannot be read; None: it can.
        is_line: Whether it is a whole line or word, not a cell of a table.
    """

    where: str
    label: object
    columns: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None
    is_line: bool = False


def read_file(path: Path, stdin: BinaryIO | None = None) -> Iterator[LabelEntry]:
    """Return the entries of a file; the file's ending gives the format.

    Args:
        path: .csv and .tsv (separated by commas, semicolons or tabs, with a header), .jsonl, an
            ending that a plug-in reads, or any other file with one label per line; "-" is standard
            input.
        stdin: The stream to read for "-"; None: the process's standard input.

    Raises:
        PluginBroken: If a package offers a reader of such files that cannot be used.
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
        case ".csv" | ".tsv":
            return _read_csv(text, path.name)
        case ".jsonl" | ".ndjson":
            return _read_jsonl(text, path.name)
        case suffix:
            return (find_reader(suffix) or _read_lines)(text, path.name)


def read_stdin(stdin: BinaryIO | None = None) -> Iterator[LabelEntry]:
    """Return the lines of `stdin`; None: the process's standard input."""
    try:
        text = _read_text(stdin or sys.stdin.buffer)
    except ValueError as error:
        return iter([LabelEntry("standard input", None, problem=str(error))])
    return _read_lines(text, "standard input")


def with_place(problem: str, name: str, places: Mapping[str, str]) -> str:
    """Return a problem after the place where its label was read: "pets.csv, line 3: ..."."""
    return f"{places[name]}: {problem}" if name in places else problem


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
        yield LabelEntry(where, line, is_line=True)


def find_list(text: str) -> str | None:
    """Return why a text is a list or a table row instead of a label; None: it can be a label."""
    if "\t" in text.strip("\t "):
        return (
            "has a tab: a table needs a header with `label`, in a file that ends with .tsv or .csv"
        )
    if "," in text or ";" in text:
        return (
            f"{shorten(text)} looks like a list: write one label on each line, or a table with a "
            "header with `label` in a file that ends with .csv"
        )
    if NUMBERED.match(text.strip()):
        return f"{shorten(text)} begins with the number of a list: leave the number out"
    return None


def _read_csv(text: str, name: str) -> Iterator[LabelEntry]:
    """Yield the rows of a table; a row or a header that cannot be used has a problem instead."""
    lines, skipped = _without_hint(text)
    delimiter = _delimiter_of(lines)
    rows = csv.DictReader(
        io.StringIO(lines, newline=""), skipinitialspace=delimiter != "\t", delimiter=delimiter
    )
    header = [column.strip() for column in rows.fieldnames or ()]
    if problem := _header_problem(header):
        yield LabelEntry(f"{name}, line {1 + skipped}", None, problem=problem)
        return
    rows.fieldnames = header
    try:
        for row in rows:
            where = f"{name}, line {rows.line_num + skipped - _count_breaks(row)}"
            if None in row:
                yield LabelEntry(
                    where, None, problem=f"has more cells than the header ({len(header)})"
                )
            elif any(row.values()):
                yield LabelEntry(where, row.get("label") or row.get("class") or "", row)
    except csv.Error as error:
        yield LabelEntry(
            f"{name}, line {rows.line_num + skipped}", None, problem=f"is not valid CSV: {error}"
        )


def _count_breaks(row: Mapping[str | None, str | list[str] | None]) -> int:
    """Return how many lines of the file a row has besides its first."""
    cells = (cell if isinstance(cell, list) else [cell or ""] for cell in row.values())
    return sum(text.count("\n") for cell in cells for text in cell)


def _without_hint(text: str) -> tuple[str, int]:
    """Return a table without Excel's first line, and the number of lines that were left out."""
    first, _, rest = text.partition("\n")
    return (rest, 1) if first.startswith(EXCEL_HINT) else (text, 0)


def _delimiter_of(text: str) -> str:
    """Return the delimiter by which the header has most of the known columns; a comma for none."""
    header = text.partition("\n")[0]

    def known(delimiter: str) -> int:
        """Return how many known columns the header has with a delimiter."""
        return sum(cell.strip(' "') in COLUMNS for cell in header.split(delimiter))

    return max(DELIMITERS, key=known)


def _header_problem(header: Sequence[str]) -> str | None:
    if not {"label", "class"} & set(header):
        found = ", ".join(repr(_cut(column)) for column in header) or "nothing"
        return f"the header has no column `label`; found {found}; write `label` in the first line"
    if len(set(header)) < len(header):
        return "the header contains a column twice"
    unknown = next((column for column in header if column not in COLUMNS), None)
    return None if unknown is None else _describe_unknown("column", unknown)


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
    if not isinstance(values, Mapping) or not {"label", "class"} & set(values):
        return LabelEntry(where, None, problem='expected an object like {"label": "dog"}')
    unknown = next((key for key in values if key not in COLUMNS), None)
    if unknown is not None:
        return LabelEntry(where, None, problem=_describe_unknown("key", unknown))
    return LabelEntry(where, values.get("label", values.get("class")), values)


def _describe_unknown(kind: str, name: str) -> str:
    return f"unknown {kind} {shorten(name)}; expected {' or '.join(nearest(name, COLUMNS))}"


def _lines(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield f"{name}, line {number}", line


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 3]}..."
