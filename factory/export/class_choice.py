"""Choice of the classes of an export: `--classes` and `--map` as a person writes them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chatgenimage.db.class_names import UNWRITABLE
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.submission.label_files import LabelEntry, read_file, shorten

CLASSES_FILE = "classes.txt"
"""In every export: its classes by number, one on each line; `--classes` reads it."""
MOST_CLASSES = 10_000
ENDINGS = frozenset({".txt", ".csv", ".jsonl"})


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """The classes that a person wants.

    Attributes:
        names: The classes in the order of their numbers; all others are left out. None: those
            asked for, and the extras if they are exported.
        merged: New name by old name; applied first, once.
        extras: Whether objects of classes that nobody asked for are exported too.

    Raises:
        SettingsError: If a class is named twice, or a name cannot be one.
    """

    names: tuple[str, ...] | None = None
    merged: Mapping[str, str] = field(default_factory=dict)
    extras: bool = False

    def __post_init__(self) -> None:
        if self.names is not None:
            _check_names(self.names)
        for old, new in self.merged.items():
            _check_name("--map", old)
            _check_name("--map", new)

    def rename(self, label: str) -> str:
        """Return the class that a label belongs to."""
        return self.merged.get(label, label)


def parse_classes(text: str) -> tuple[str, ...]:
    """Return the classes of a text like "dog,house", or of the file that it names.

    Raises:
        SettingsError: If there is none, one is named twice, or the file cannot be read.
    """
    is_file = _names_a_file(text)
    names = tuple(_names_in(Path(text)) if is_file else _split(text))
    if not names:
        raise SettingsError(f"--classes {text!r} names no class: expected a file or dog,house.")
    _check_names(names)
    return names


def parse_merges(texts: Iterable[str]) -> dict[str, str]:
    """Return new names by old name from texts like "puppy=dog".

    Raises:
        SettingsError: If a text has another form, or an old name has two new ones.
    """
    merged: dict[str, str] = {}
    for text in texts:
        old, is_pair, new = text.partition("=")
        old, new = _clean(old), _clean(new)
        if not (is_pair and old and new):
            raise SettingsError(f"--map {text!r}: expected OLD=NEW, e.g. --map puppy=dog.")
        if merged.setdefault(old, new) != new:
            raise SettingsError(f"--map gives {shorten(old)} two names: {merged[old]!r}, {new!r}.")
    return merged


def write_classes(names: Iterable[str]) -> str:
    """Return the content of `CLASSES_FILE`."""
    return "".join(f"{_clean(name)}\n" for name in names)


def _check_names(names: Sequence[str]) -> None:
    """Refuse a list that cannot be the classes of an export.

    Raises:
        SettingsError: If it is empty or too long, or a class is named twice.
    """
    if not names:
        raise SettingsError("--classes names no class: expected one or more, e.g. dog,house.")
    if len(names) > MOST_CLASSES:
        raise SettingsError(f"--classes names {len(names)} classes: at most {MOST_CLASSES} fit.")
    for name in names:
        _check_name("--classes", name)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SettingsError(f"--classes names {shorten(twice[0])} twice.")


def _check_name(option: str, name: str) -> None:
    """Refuse a name that a line of `CLASSES_FILE`, XML or UTF-8 does not have as it is.

    Raises:
        SettingsError: If it is empty, has spaces around it or a control character.
    """
    if not name or name != _clean(name) or UNWRITABLE.search(name):
        raise SettingsError(
            f"{option}: {shorten(name)} cannot be the name of a class: expected text in one line, "
            "without control characters and without spaces around it."
        )


def _names_a_file(text: str) -> bool:
    """Return whether a text is meant as a file: it exists, or it looks like a path."""
    if "/" in text or Path(text).suffix in ENDINGS:
        return True
    try:
        return Path(text).is_file()
    except OSError:  # the text is too long for a file name
        return False


def _names_in(path: Path) -> Iterable[str]:
    for entry in read_file(path):
        yield _name_of(entry)


def _name_of(entry: LabelEntry) -> str:
    if entry.problem is not None:
        raise SettingsError(f"--classes: {entry.where} {entry.problem}.")
    if not isinstance(entry.label, str) or not _clean(entry.label):
        raise SettingsError(f"--classes: {entry.where} has no name of a class.")
    return _clean(entry.label)


def _split(text: str) -> Iterable[str]:
    return filter(None, map(_clean, text.split(",")))


def _clean(name: str) -> str:
    return " ".join(name.split())
