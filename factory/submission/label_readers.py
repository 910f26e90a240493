"""Label readers of plug-ins: other forms of label files, by the ending of the file's name."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from chatgenimage.workers.errors import PluginBroken
from chatgenimage.workers.plugins import Plugin, Plugins, load_plugins

OWN_ENDINGS = frozenset({"csv", "jsonl", "ndjson", "tsv", "txt"})
"""Endings that the factory itself reads."""

Read = Callable[[str, str], Iterator[Any]]
"""Yields an entry for each label, given the text of a file and its name."""


@cache
def label_readers() -> Plugins:
    """Return the readers that are installed, by the ending of a file's name without its dot."""
    return load_plugins("label_readers", OWN_ENDINGS, _find_problem)


def find_reader(suffix: str) -> Read | None:
    """Return the reader for the ending of a file's name; None: no plug-in reads such files.

    Raises:
        PluginBroken: If the factory does not read such files itself, and a reader cannot be used.
    """
    ending = suffix.lower().removeprefix(".")
    if not ending or ending in OWN_ENDINGS:
        return None
    plugin = label_readers().found.get(ending)
    if plugin is None:
        label_readers().refuse_broken()
        return None
    return lambda text, name: _read(plugin, text, name)


def _read(plugin: Plugin, text: str, name: str) -> Iterator[Any]:
    try:
        yield from plugin.value(text, name)
    except Exception as error:
        raise PluginBroken(
            f"{name}: the label reader {plugin.name!r} of the package {plugin.package} "
            f"{plugin.version} failed: {type(error).__name__}: {error}. Check the file, or correct "
            "the package."
        ) from error


def _find_problem(name: str, value: object) -> str | None:
    if name != name.lower() or not name.isalnum():
        return "expected the ending of a file's name in small letters, without its dot"
    return None if callable(value) else f"expected a function, found {type(value).__name__}"
