"""Label requests: read, normalised and deduplicated.

All problems of a list are reported together, and a list with a problem is not used at all.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, TypeVar, cast

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.submission.label_files import (
    NUMBERS,
    STDIN,
    LabelEntry,
    find_list,
    read_file,
    read_stdin,
    shorten,
)
from chatgenimage.tasks.names import (
    clean_domains,
    clean_name,
    clean_negative_prompt,
    clean_style,
    parse_size,
)

Mode: TypeAlias = Literal["scene", "object"]
T = TypeVar("T")
MODES: tuple[Mode, ...] = ("scene", "object")
MAX_PER_LABEL = 100_000
PHRASE_SEPARATOR = "|"
"""Of the phrases in the column `detect`."""


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
        prompt: Words by which it is painted; None: its name.
        detect: Phrases that the detector looks for; None: its name.
        style: Form of its prompts, with {prompt} in it.
        negative_prompt: Content that its first images should not show.
        size_wh: Width and height of its first images, pixels.
        aspect: Their proportions instead, e.g. (3, 2).
    """

    label: str
    per_label: int | None = None
    mode: Mode | None = None
    accepted: int | None = None
    max_images: int | None = None
    domains: tuple[str, ...] | None = None
    prompt: str | None = None
    detect: tuple[str, ...] | None = None
    style: str | None = None
    negative_prompt: str | None = None
    size_wh: tuple[int, int] | None = None
    aspect: tuple[int, int] | None = None


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
    """The requested labels in order, and the dropped duplicates.

    Attributes:
        places: Where each label was read, e.g. "pets.txt, line 3".
    """

    requests: tuple[LabelRequest, ...]
    dropped: tuple[DroppedLabel, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Return the names of the labels."""
        return [request.label for request in self.requests]


def read_labels(
    words: Sequence[str] = (), files: Sequence[str | Path] = (), *, stdin: BinaryIO | None = None
) -> LabelList:
    """Read the labels of the arguments, then those of the files.

    Args:
        words: Labels; "-" reads lines from standard input.
        files: .csv and .tsv (a header with `label`, and others of `label_files.COLUMNS`), .jsonl
            (the same keys), or any other file with one label per line; blank lines and lines that
            start with # are skipped.
        stdin: The stream to read for "-"; None: the process's standard input.

    Raises:
        BadLabels: With all problems, or if there is no label at all.
    """
    entries: list[LabelEntry] = []
    for index, word in enumerate(words, start=1):
        if word == STDIN:
            entries += read_stdin(stdin)
        else:
            entries.append(LabelEntry(f"argument {index}", word, is_line=True))
    for file in files:
        entries += read_file(Path(file), stdin)
    return _assemble(entries, [Path(file).name for file in files if str(file) != STDIN])


def _assemble(entries: Sequence[LabelEntry], files: Sequence[str]) -> LabelList:
    """Return the requests of all entries, each label once.

    Raises:
        BadLabels: With every problem: a bad entry, two different requests of a label, or none.
    """
    requests: dict[str, LabelRequest] = {}
    places: dict[str, str] = {}
    dropped: list[DroppedLabel] = []
    problems: list[str] = []
    for entry in entries:
        try:
            request = _request(entry)
        except ValueError as error:
            problems.append(f"{entry.where}: {error}.")
            continue
        kept = requests.setdefault(_key(request.label), request)
        if kept is request:
            places[request.label] = entry.where
        elif replace(request, label=kept.label) != kept:
            problems.append(
                f"{entry.where}: label {shorten(request.label)} has other options than in "
                f"{places[kept.label]}; write it once."
            )
        else:
            dropped.append(DroppedLabel(request.label, entry.where, kept.label))
    if not problems and not requests and files:
        problems.append(
            f"{', '.join(files)}: no labels; write one on each line, in a table below the header."
        )
    elif not problems and not requests:
        problems.append("no labels: expected at least one word, e.g. `factory run dog house`.")
    if problems:
        raise BadLabels(problems)
    return LabelList(tuple(requests.values()), tuple(dropped), places)


def _request(entry: LabelEntry) -> LabelRequest:
    """Return the request of an entry.

    Raises:
        ValueError: With the problem, without the place.
    """
    if entry.problem is not None:
        raise ValueError(entry.problem)
    if entry.is_line and (problem := find_list(str(entry.label))):
        raise ValueError(problem)
    if not isinstance(entry.label, str):
        raise ValueError("`label` must be text")  # noqa: TRY004 (a wrong file, not a wrong call)
    word, of_class = _clean("label", entry.label), _text(entry.columns.get("class"), "class")
    label = _clean("class", of_class) if of_class else word
    numbers = {name: _number(name, entry.columns.get(name)) for name in NUMBERS}
    mode, domains = _mode(entry.columns.get("mode")), _domains(entry.columns.get("domains"))
    size_wh, aspect = _parsed(entry, "size", parse_size) or (None, None)
    return LabelRequest(
        label,
        mode=mode,
        domains=domains,
        prompt=_prompt(entry, word, label),
        detect=_detect(entry, word, label),
        style=_parsed(entry, "style", clean_style),
        negative_prompt=_parsed(entry, "negative_prompt", clean_negative_prompt),
        size_wh=size_wh,
        aspect=aspect,
        **numbers,
    )


def _prompt(entry: LabelEntry, word: str, label: str) -> str | None:
    """Return the words to paint: those of the column, else the label if the class has another."""
    text = _text(entry.columns.get("prompt"), "prompt")
    if text:
        return _clean("prompt", text)
    return None if word == label else word


def _detect(entry: LabelEntry, word: str, label: str) -> tuple[str, ...] | None:
    """Return the phrases to look for, as for `_prompt`."""
    texts = entry.columns.get("detect")
    if not isinstance(texts, list):
        texts = (_text(texts, "detect") or "").split(PHRASE_SEPARATOR)
    phrases = tuple(_clean("detect", _text(text, "detect") or "") for text in texts if text)
    return phrases or (None if word == label else (word,))


def _text(value: object, column: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"`{column}` must be text")


def _clean(column: str, text: str) -> str:
    try:
        return clean_name(text)
    except ValueError as error:
        raise ValueError(f"{column} {shorten(text)} {error}") from None


def _parsed(entry: LabelEntry, column: str, parse: Callable[[str], T]) -> T | None:
    """Return what `parse` makes of the text of a column; None: it is empty."""
    text = _text(entry.columns.get(column), column)
    if not text or not text.strip():
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"`{column}` is {shorten(text)}: {error}") from None


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
