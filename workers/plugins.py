"""Plug-ins: families, filter rules, formats and label readers that other packages add.

A package names them as entry points of `GROUPS`. One that cannot be used is left out and reported
when its kind is needed: nothing is replaced or skipped in silence.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Literal, cast

from chatgenimage.workers.errors import PluginBroken

Group = Literal["families", "filter_rules", "exporters", "label_readers"]
GROUPS: Mapping[Group, str] = {
    "families": "family",
    "filter_rules": "filter rule",
    "exporters": "export format",
    "label_readers": "label reader",
}
"""Kind of each group; the entry points are of `chatgenimage.` and the group."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in that can be used.

    Attributes:
        name: Of the family, rule, format or file ending.
        package: Distribution that offers it.
        version: Of the package.
        value: What the entry point names.
    """

    name: str
    package: str
    version: str
    value: Any


@dataclass(frozen=True, slots=True)
class Plugins:
    """The plug-ins of one group.

    Attributes:
        group: Their group.
        found: Those that can be used, by name.
        problems: What is wrong with the others, a sentence each.
    """

    group: Group
    found: Mapping[str, Plugin] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def refuse_broken(self) -> None:
        """Check that all can be used.

        Raises:
            PluginBroken: If one cannot; names the package.
        """
        if self.problems:
            raise PluginBroken(" ".join(self.problems))


def load_plugins(
    group: Group, taken: Collection[str], find_problem: Callable[[str, Any], str | None]
) -> Plugins:
    """Import the plug-ins of a group.

    Args:
        group: Which group.
        taken: Names that the factory itself uses.
        find_problem: Returns what is wrong with a plug-in, given its name and value; None: nothing.
    """
    found: dict[str, Plugin] = {}
    problems: list[str] = []
    for point in _list_points(group):
        try:
            plugin = _load(point)
            _check(plugin, taken, found, find_problem)
        except Exception as error:  # noqa: BLE001  # code of others
            problems.append(_describe(group, point, error))
        else:
            found[plugin.name] = plugin
    return Plugins(group, found, tuple(problems))


def has_plugins(group: Group) -> bool:
    """Return whether a package offers any of a group, without importing it."""
    return bool(_list_points(group))


def _list_points(group: Group) -> EntryPoints:
    return _read_points(tuple(sys.path)).select(group=f"chatgenimage.{group}")


@cache
def _read_points(_path: tuple[str, ...]) -> EntryPoints:
    """Return the entry points of all packages on a path; to read them takes tens of ms."""
    return cast("EntryPoints", entry_points())  # on Python 3.11 another class with its methods


def _load(point: EntryPoint) -> Plugin:
    return Plugin(point.name, *_package_of(point), point.load())


def _check(
    plugin: Plugin,
    taken: Collection[str],
    found: Mapping[str, Plugin],
    find_problem: Callable[[str, Any], str | None],
) -> None:
    """Check that a plug-in can be used.

    Args:
        plugin: As its package names it.
        taken: Names of the factory's own.
        found: Plug-ins that are used already, by name.
        find_problem: Returns why a plug-in of this kind cannot be used, if so.

    Raises:
        ValueError: If its name is taken, or it has a problem.
    """
    if plugin.name in taken:
        raise ValueError("the factory itself has one of this name")
    if plugin.name in found:
        raise ValueError(f"the package {found[plugin.name].package} has one of this name")
    if problem := find_problem(plugin.name, plugin.value):
        raise ValueError(problem)


def _describe(group: Group, point: EntryPoint, error: Exception) -> str:
    package, version = _package_of(point)
    lines = str(error).strip().splitlines() or ["no message"]
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return (
        f"the {GROUPS[group]} {point.name!r} of the package {package} {version} cannot be used: "
        f"{kind}{lines[0]}. Correct the package, or remove it: pip uninstall {package}."
    )


def _package_of(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("unknown", "")
