"""Commands that are printed for a person to type: with the options that they need.

A command that was given `--profile`, `--data-dir` or `--database-url` prints commands with the same
options. Messages of the lower layers name commands in backticks, without options; `complete` adds
them where the message is printed.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from chatgenimage.db.addresses import show_address

PROGRAM = "factory"
NAMED = re.compile(rf"`{PROGRAM} ([a-z][^`]*)`")
PLACE_OPTIONS = ("profile", "data_dir", "database_url")


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """The profile and places that a command was given; None: as the environment says."""

    profile: str | None = None
    data_dir: Path | None = None
    database_url: str | None = None


NOWHERE = PlaceChoice()
_given: ContextVar[PlaceChoice] = ContextVar("whereabouts", default=NOWHERE)


@contextmanager
def remembering() -> Iterator[None]:
    """Forget at the end of the block what `use_places` was called with inside."""
    token = _given.set(NOWHERE)
    try:
        yield
    finally:
        _given.reset(token)


def use_places(whereabouts: PlaceChoice) -> None:
    """Add these options to the commands that are printed from now on."""
    _given.set(whereabouts)


def given_places() -> PlaceChoice:
    """Return the profile and places that the running command was given."""
    return _given.get()


def spell(*words: object, place: PlaceChoice | None = None) -> str:
    """Return a command for a shell.

    Args:
        words: The command's own words, without the program.
        place: Which options are added; None: those that the running command was given. A password
            in a database URL is replaced by `***`, for the person to fill in.
    """
    typed = [str(word) for word in words]
    return shlex.join([PROGRAM, *typed, *_options(typed, place or _given.get())])


def complete(text: str) -> str:
    """Return a message whose commands in backticks have the options of the running command."""
    return NAMED.sub(_completed, text)


def _completed(found: re.Match[str]) -> str:
    try:
        words = shlex.split(found[1])
    except ValueError:  # a quote that a value of the message has
        return found[0]
    return f"`{spell(*words)}`"


def _options(words: Sequence[str], place: PlaceChoice) -> Iterator[str]:
    if words[0] == "models":  # its profile is an argument, and it looks at no data
        if place.profile is not None and place.profile not in words:
            yield place.profile
        return
    for name in PLACE_OPTIONS:
        value, option = getattr(place, name), f"--{name.replace('_', '-')}"
        if value is not None and option not in words:
            yield from (option, show_address(str(value)))
