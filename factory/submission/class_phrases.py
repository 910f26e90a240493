"""Classes to look for in pictures, each with the phrases by which the detector finds it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.submission.label_files import (
    LabelEntry,
    find_list,
    read_file,
    shorten,
)
from chatgenimage.tasks.names import clean_name

CLASS_SEPARATOR = "="
"""Between a phrase and its class: "striped shirt=referee"."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes in the order in which they were asked for.

    Attributes:
        phrases: For the classes that are not found by their own name: the phrases to look for.
        places: Where each name and phrase was read, e.g. "labels.txt, line 3".
    """

    names: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]]
    places: Mapping[str, str] = field(default_factory=dict)


def read_classes(
    words: Sequence[str] = (), files: Sequence[Path] = (), *, stdin: BinaryIO | None = None
) -> Classes:
    """Read classes: a name ("dog") or a phrase and its class ("striped shirt=referee").

    Several phrases may name one class; the class's own name is looked for only if it is given too.

    Args:
        words: From the command line.
        files: As for `labels.read_labels`, with no column but `label`.
        stdin: The stream to read for "-"; None: the process's standard input.

    Raises:
        BadLabels: With all problems, or if there is no class at all.
    """
    entries = [LabelEntry(f"label {index}", word) for index, word in enumerate(words, start=1)]
    entries += [entry for file in files for entry in read_file(file, stdin)]
    found, problems = _Found(), list[str]()
    for entry in entries:
        try:
            found.add(*_read(entry), entry.where)
        except ValueError as error:
            problems.append(f"{entry.where}: {error}.")
    if not entries:
        problems.append("no labels: expected at least one word, e.g. --labels dog,house.")
    if problems:
        raise BadLabels(problems)
    return found.classes()


class _Found:
    """The classes read so far; names and phrases are compared without case."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._phrases: dict[str, tuple[str, str]] = {}
        """Phrase and class, by the phrase in lower case."""
        self._places: dict[str, str] = {}

    def add(self, phrase: str, name: str, where: str) -> None:
        """Add a phrase for a class.

        Args:
            phrase: Words to look for.
            name: Name of the class.
            where: File and line, for the message.

        Raises:
            ValueError: If the phrase is already of another class.
        """
        name = self._names.setdefault(name.casefold(), name)
        _, other = self._phrases.setdefault(phrase.casefold(), (phrase, name))
        if other != name:
            raise ValueError(
                f"{shorten(phrase)} is given for two classes, {shorten(other)} and "
                f"{shorten(name)}; choose one"
            )
        for word in (phrase, name):
            self._places.setdefault(word, where)

    def classes(self) -> Classes:
        """Return the classes, in the order in which they were added."""
        names = tuple(self._names.values())
        phrases = {name: tuple(self._phrases_of(name)) for name in names}
        own = {name: some for name, some in phrases.items() if some != (name,)}
        return Classes(names, own, self._places)

    def _phrases_of(self, name: str) -> Iterator[str]:
        yield from (phrase for phrase, other in self._phrases.values() if other == name)


def _read(entry: LabelEntry) -> tuple[str, str]:
    """Return the phrase and the class of an entry.

    Raises:
        ValueError: If the entry is wrong.
    """
    if entry.problem is not None:
        raise ValueError(entry.problem)
    if entry.is_line and (problem := find_list(str(entry.label))):
        raise ValueError(problem)
    if unused := [name for name, value in entry.columns.items() if name != "label" and value]:
        raise ValueError(f"`{unused[0]}` has no meaning for pictures; leave only the labels")
    if not isinstance(entry.label, str):
        raise ValueError("`label` must be text")  # noqa: TRY004 (a wrong file, not a wrong call)
    phrase, separator, name = entry.label.partition(CLASS_SEPARATOR)
    phrase = _clean(phrase)
    return phrase, _clean(name) if separator else phrase


def _clean(text: str) -> str:
    try:
        return clean_name(text)
    except ValueError as error:
        raise ValueError(f"label {shorten(text)} {error}") from None
