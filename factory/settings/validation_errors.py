"""Convert pydantic's report on wrong settings to one line with key, source and remedy."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from chatgenimage.workers.families import FAMILY_CLASSES

SHOWN_KEYS = 3
OPTIONS_SECTION = "chain"
"""The section whose keys have options of their own: `chain.per_label` is given as `--per-label`."""


@dataclass(frozen=True, slots=True)
class SettingSource:
    """A source of values: a profile, the environment or the arguments.

    Attributes:
        name: Name for messages.
        values: The values, nested.
        env_prefix: Prefix of its variables, if it is the environment.
        has_options: Whether a person gave the values as options of a command or a function.
    """

    name: str
    values: Mapping[str, Any]
    env_prefix: str | None = None
    has_options: bool = False

    def has(self, path: Sequence[str]) -> bool:
        """Return whether this source sets the key at `path`."""
        level: Any = self.values
        for key in path:
            if not isinstance(level, Mapping) or key not in level:
                return False
            level = level[key]
        return True

    def spell(self, path: Sequence[str]) -> str:
        """Return the key as it is written in this source."""
        if self.env_prefix is not None:
            return self.env_prefix + "__".join(path).upper()
        if self.has_options and len(path) > 1 and path[0] == OPTIONS_SECTION:
            path = path[1:]
        return ".".join(path)


def complain(
    error: ValidationError, sources: Sequence[SettingSource], settings: type[BaseModel]
) -> str:
    """Return one line about the first problem: the key, its source, what was expected.

    The line never contains a value, which might be a secret.
    """
    reports = error.errors(include_url=False, include_context=False, include_input=False)
    # A misspelt key is also reported as missing; report the spelling.
    first, *rest = sorted(reports, key=lambda report: report["type"] != "extra_forbidden")
    place = [str(part) for part in first["loc"]]
    path = [part for index, part in enumerate(place) if not _is_tag(place, index)]
    sets_it = (source for source in reversed(sources) if path and source.has(path))
    source = next(sets_it, sources[0])
    text = f"{source.name}: {_explain(first['type'], first['msg'], path, place, source, settings)}"
    return f"{text} (problems after this one: {len(rest)})" if rest else text


def nearest(key: str, known: Collection[str]) -> list[str]:
    """Return the known keys that are most similar to `key`, or all of them if none is."""
    return difflib.get_close_matches(key, known, n=SHOWN_KEYS, cutoff=0.5) or sorted(known)


def _explain(  # noqa: PLR0913, PLR0917 (pydantic reports the parts separately)
    kind: str,
    message: str,
    path: Sequence[str],
    place: Sequence[str],
    source: SettingSource,
    settings: type[BaseModel],
) -> str:
    key = source.spell(path)
    if kind == "extra_forbidden":
        known = nearest(path[-1], _known_keys(place, settings))
        return f"unknown key {key!r}. Did you mean {' or '.join(known)}?"
    if kind.startswith("union_tag"):
        return f"{key!r} needs `family`, one of: {', '.join(sorted(FAMILY_CLASSES))}."
    if kind == "missing":
        return f"{key!r} is missing; compare configs/micro.yaml."
    if not path:
        return f"{message.removeprefix('Value error, ')}."
    return f"{key!r} is wrong: {message.removeprefix('Value error, ')}."


def _is_tag(place: Sequence[str], index: int) -> bool:
    """Return whether this part is a union tag that pydantic adds; it is not in the file."""
    return place[0] == "families" and index == 2 and place[index] in FAMILY_CLASSES  # noqa: PLR2004


def _known_keys(place: Sequence[str], settings: type[BaseModel]) -> Collection[str]:
    match place:
        case ("families", _, tag, *_) if tag in FAMILY_CLASSES:
            return FAMILY_CLASSES[tag].model_fields
        case (section, _, *_):
            annotation = settings.model_fields[section].annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                return annotation.model_fields
    return settings.model_fields
