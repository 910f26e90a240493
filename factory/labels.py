"""Reads lists of labels: arguments, text, CSV and JSONL files, standard input.

Everything wrong with a list is told at once, and nothing of a wrong list is used.
"""

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO, TypeAlias, cast

from factory.complaints import nearest
from factory.errors import BadLabels

Mode: TypeAlias = Literal["scene", "object"]
MODES: tuple[Mode, ...] = ("scene", "object")
NUMBERS = ("per_label", "accepted", "max_images")
COLUMNS = ("label", *NUMBERS, "mode")
STDIN = "-"
MAX_BYTES = 32 * 2**20
"""Of one list: more than a million labels."""
MAX_LABEL_LENGTH = 100
MAX_PER_LABEL = 100_000
TOO_LONG = f"has more than {MAX_BYTES // 2**20} MiB; submit it in parts"
ALLOWED_MARKS = frozenset("-'&.,()")
SHOWN_LENGTH = 24


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """A label and what was asked for it alone; None where the run decides.

    Attributes:
        label: Clean: NFC, no spaces around, single spaces within.
        per_label: How many images, at first if a quota of accepted ones is asked for.
        mode: "scene" or "object".
        accepted: How many accepted images are asked for.
        max_images: Most images generated on the way there.
    """

    label: str
    per_label: int | None = None
    mode: Mode | None = None
    accepted: int | None = None
    max_images: int | None = None


@dataclass(frozen=True, slots=True)
class DroppedLabel:
    """A label that was asked for before, save for case and spaces.

    Attributes:
        label: As it would have been used.
        where: Where it stood, e.g. "pets.txt, line 3".
        kept: The one that is used.
    """

    label: str
    where: str
    kept: str


@dataclass(frozen=True, slots=True)
class LabelList:
    """What is asked for, in order, and what was left out as a duplicate."""

    requests: tuple[LabelRequest, ...]
    dropped: tuple[DroppedLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A label as it was written, and what stood beside it, by column."""

    where: str
    label: object
    beside: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None


def read_labels(
    words: Sequence[str] = (), files: Sequence[str | Path] = (), *, stdin: TextIO | None = None
) -> LabelList:
    """Return the labels of the arguments, then those of the files.

    Args:
        words: Labels themselves; "-" reads lines from standard input.
        files: .csv (a header with `label`, and others of `COLUMNS`), .jsonl (the same keys),
            anything else one label a line; blank lines and lines with # in front are skipped.
        stdin: What "-" reads; None: the process's own.

    Raises:
        BadLabels: With everything that is wrong, or if there is no label at all.
    """
    entries: list[_Entry] = []
    for index, word in enumerate(words, start=1):
        if word == STDIN:
            entries += _read_stdin(stdin)
        else:
            entries.append(_Entry(f"argument {index}", word))
    for file in files:
        entries += _read_file(Path(file), stdin)
    return _assemble(entries)


def clean_label(text: str) -> str:
    """Return the label in its one spelling: NFC, single spaces.

    Raises:
        ValueError: If it is no word: empty, too long, or with characters that no label needs.
    """
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if _is_space(character) else character for character in composed)
    label = " ".join(filter(None, spaced.split(" ")))
    if not label:
        raise ValueError("is empty; write a word")
    if wrong := next((character for character in label if not _is_allowed(character)), None):
        raise ValueError(
            f"contains {_name(wrong)}; a label is made of letters, digits, spaces and -'&.,()"
        )
    if not any(unicodedata.category(character)[0] in "LN" for character in label):
        raise ValueError("has no letter and no digit; write a word")
    if len(label) > MAX_LABEL_LENGTH:
        raise ValueError(f"has {len(label)} characters; at most {MAX_LABEL_LENGTH} are allowed")
    return label


def _assemble(entries: Sequence[_Entry]) -> LabelList:
    requests: dict[str, LabelRequest] = {}
    dropped: list[DroppedLabel] = []
    problems: list[str] = []
    for entry in entries:
        try:
            request = _request(entry)
        except ValueError as error:
            problems.append(f"{entry.where}: {error}.")
            continue
        kept = requests.setdefault(_key(request.label), request)
        if kept is not request:
            dropped.append(DroppedLabel(request.label, entry.where, kept.label))
    if not problems and not requests:
        problems.append("no labels: expected at least one word, e.g. `factory run dog house`.")
    if problems:
        raise BadLabels(problems)
    return LabelList(tuple(requests.values()), tuple(dropped))


def _request(entry: _Entry) -> LabelRequest:
    if entry.problem is not None:
        raise ValueError(entry.problem)
    if not isinstance(entry.label, str):
        raise ValueError("`label` must be text")  # noqa: TRY004 (a wrong file, not a wrong call)
    try:
        label = clean_label(entry.label)
    except ValueError as error:
        raise ValueError(f"label {_shorten(entry.label)} {error}") from None
    numbers = {name: _number(name, entry.beside.get(name)) for name in NUMBERS}
    return LabelRequest(label, mode=_mode(entry.beside.get("mode")), **numbers)


def _number(name: str, value: object) -> int | None:
    if value is None or value == "":
        return None
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_PER_LABEL:
        raise ValueError(
            f"`{name}` is {_shorten(value)}; expected a whole number from 1 to {MAX_PER_LABEL}"
        )
    return number


def _mode(value: object) -> Mode | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip() in MODES:
        return cast("Mode", value.strip())
    raise ValueError(f"`mode` is {_shorten(value)}; expected {' or '.join(MODES)}")


def _read_file(path: Path, stdin: TextIO | None) -> Iterator[_Entry]:
    if str(path) == STDIN:
        return _read_stdin(stdin)
    try:
        text = _read_text(path)
    except ValueError as error:
        return iter([_Entry(str(path), None, problem=str(error))])
    match path.suffix.lower():
        case ".csv":
            return _read_csv(text, path.name)
        case ".jsonl" | ".ndjson":
            return _read_jsonl(text, path.name)
        case _:
            return _read_lines(text, path.name)


def _read_text(path: Path) -> str:
    """Return the file as text, its lines apart as on every system.

    Raises:
        ValueError: If it cannot be read, is too long or no UTF-8.
    """
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(TOO_LONG)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}; check the path") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_stdin(stdin: TextIO | None) -> Iterator[_Entry]:
    text = (stdin or sys.stdin).read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        return iter([_Entry("standard input", None, problem=TOO_LONG)])
    return _read_lines(text, "standard input")


def _read_lines(text: str, name: str) -> Iterator[_Entry]:
    for where, line in _lines(text, name):
        yield _Entry(where, line)


def _read_csv(text: str, name: str) -> Iterator[_Entry]:
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    header = [column.strip() for column in rows.fieldnames or ()]
    if problem := _header_problem(header):
        yield _Entry(name, None, problem=problem)
        return
    rows.fieldnames = header
    try:
        for row in rows:
            where = f"{name}, line {rows.line_num}"
            if None in row:
                yield _Entry(where, None, problem=f"has more than the header's {len(header)} cells")
            elif any(row.values()):
                yield _Entry(where, row["label"] or "", row)
    except csv.Error as error:
        yield _Entry(f"{name}, line {rows.line_num}", None, problem=f"is no CSV: {error}")


def _header_problem(header: Sequence[str]) -> str | None:
    if "label" not in header:
        found = ", ".join(repr(_cut(column)) for column in header) or "nothing"
        return f"the header has no column `label`, but {found}; write `label` in the first line"
    if len(set(header)) < len(header):
        return "the header has a column twice"
    unknown = next((column for column in header if column not in COLUMNS), None)
    if unknown is not None:
        return (
            f"unknown column {_cut(unknown)!r}; expected {' or '.join(nearest(unknown, COLUMNS))}"
        )
    return None


def _read_jsonl(text: str, name: str) -> Iterator[_Entry]:
    for where, line in _lines(text, name):
        try:
            values = json.loads(line)
        except ValueError as error:
            yield _Entry(where, None, problem=f"is no JSON: {error}")
            continue
        yield _entry_of_object(where, values)


def _entry_of_object(where: str, values: object) -> _Entry:
    if not isinstance(values, Mapping) or "label" not in values:
        return _Entry(where, None, problem='expected an object like {"label": "dog"}')
    unknown = next((key for key in values if key not in COLUMNS), None)
    if unknown is not None:
        known = " or ".join(nearest(unknown, COLUMNS))
        return _Entry(where, None, problem=f"unknown key {_cut(unknown)!r}; expected {known}")
    return _Entry(where, values["label"], values)


def _lines(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield f"{name}, line {number}", line.rstrip("\r")


def _key(label: str) -> str:
    return unicodedata.normalize("NFC", label.casefold())


def _is_space(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) == "Zs"


def _is_allowed(character: str) -> bool:
    # Letters, their marks (many scripts write vowels so) and numbers.
    return (
        unicodedata.category(character)[0] in "LMN"
        or character == " "
        or character in ALLOWED_MARKS
    )


def _name(character: str) -> str:
    code = f"U+{ord(character):04X}"
    return f"{unicodedata.name(character, 'a control character')} ({code})"


def _shorten(value: object) -> str:
    return repr(_cut(value if isinstance(value, str) else json.dumps(value)))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 3]}..."
