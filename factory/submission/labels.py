"""Label requests: read, normalised and deduplicated.

All problems of a list are reported together, and a list with a problem is not used at all.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, cast

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.submission.label_files import (
    NUMBERS,
    STDIN,
    LabelEntry,
    read_file,
    read_stdin,
    shorten,
)
from chatgenimage.tasks.names import clean_domains, clean_name

Mode: TypeAlias = Literal["scene", "object"]
MODES: tuple[Mode, ...] = ("scene", "object")
MAX_PER_LABEL = 100_000


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """A requested label and its own options; None: the run's option applies.

    Attributes:
        label: Normalised: NFC, no spaces around, single spaces within.
        per_label: Number of images; with a quota of accepted images, the first portion.
        mode: "scene" or "object".
        accepted: Number of accepted images to reach (the quota).
        max_images: Most images generated to reach the quota.
        domains: Domains that its images are divided among.
    """

    label: str
    per_label: int | None = None
    mode: Mode | None = None
    accepted: int | None = None
    max_images: int | None = None
    domains: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DroppedLabel:
    """A duplicate of an earlier label; only case or spaces may differ.

    Attributes:
        label: Its normalised text.
        where: Its position, e.g. "pets.txt, line 3".
        kept: The label that is used.
    """

    label: str
    where: str
    kept: str


@dataclass(frozen=True, slots=True)
class LabelList:
    """The requested labels in order, and the dropped duplicates."""

    requests: tuple[LabelRequest, ...]
    dropped: tuple[DroppedLabel, ...] = ()


def read_labels(
    words: Sequence[str] = (), files: Sequence[str | Path] = (), *, stdin: BinaryIO | None = None
) -> LabelList:
    """Read the labels of the arguments, then those of the files.

    Args:
        words: Labels; "-" reads lines from standard input.
        files: .csv (a header with `label`, and others of `label_files.COLUMNS`), .jsonl (the same
            keys), or any other file with one label per line; blank lines and lines that start
            with # are skipped.
        stdin: The stream to read for "-"; None: the process's standard input.

    Raises:
        BadLabels: With all problems, or if there is no label at all.
    """
    entries: list[LabelEntry] = []
    for index, word in enumerate(words, start=1):
        if word == STDIN:
            entries += read_stdin(stdin)
        else:
            entries.append(LabelEntry(f"argument {index}", word))
    for file in files:
        entries += read_file(Path(file), stdin)
    return _assemble(entries)


def _assemble(entries: Sequence[LabelEntry]) -> LabelList:
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


def _request(entry: LabelEntry) -> LabelRequest:
    if entry.problem is not None:
        raise ValueError(entry.problem)
    if not isinstance(entry.label, str):
        raise ValueError("`label` must be text")  # noqa: TRY004 (a wrong file, not a wrong call)
    try:
        label = clean_name(entry.label)
    except ValueError as error:
        raise ValueError(f"label {shorten(entry.label)} {error}") from None
    numbers = {name: _number(name, entry.columns.get(name)) for name in NUMBERS}
    mode, domains = _mode(entry.columns.get("mode")), _domains(entry.columns.get("domains"))
    return LabelRequest(label, mode=mode, domains=domains, **numbers)


def _number(name: str, value: object) -> int | None:
    if value is None or value == "":
        return None
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_PER_LABEL:
        raise ValueError(
            f"`{name}` is {shorten(value)}; expected a whole number from 1 to {MAX_PER_LABEL}"
        )
    return number


def _mode(value: object) -> Mode | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip() in MODES:
        return cast("Mode", value.strip())
    raise ValueError(f"`mode` is {shorten(value)}; expected {' or '.join(MODES)}")


def _domains(value: object) -> tuple[str, ...] | None:
    if value is None or value == "":
        return None
    try:
        return clean_domains(value) or None
    except ValueError as error:
        raise ValueError(f"`domains` is {shorten(value)}: {error}") from None


def _key(label: str) -> str:
    return unicodedata.normalize("NFC", label.casefold())
