"""Plug-ins that a profile uses: their versions are recorded, and broken ones are refused."""

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel

from chatgenimage.factory.errors import SettingsError
from chatgenimage.workers.families import FAMILY_PLUGINS, find_plugin
from chatgenimage.workers.plugins import Plugin, Plugins, has_plugins


def refuse_broken_plugins(thresholds: Mapping[str, float]) -> None:
    """Check the families and the filter rules that other packages offer.

    Args:
        thresholds: `thresholds.of_plugins` of a profile.

    Raises:
        PluginBroken: If one cannot be used; names the package.
        SettingsError: If there is no filter rule for a threshold.
    """
    FAMILY_PLUGINS.refuse_broken()
    rules = _rule_plugins()
    rules.refuse_broken()
    for name in thresholds:
        if name not in rules.found:
            known = ", ".join(rules.found) or "none"
            raise SettingsError(
                f"thresholds.of_plugins.{name}: no installed package offers a filter rule of this "
                f"name; there are: {known}. Install the package, or remove the threshold."
            )


def versions_used(families: Iterable[BaseModel]) -> dict[str, str]:
    """Return the packages that shape a run, with their versions: of these families, and rules."""
    found = [plugin for family in families if (plugin := find_plugin(family))]
    used: list[Plugin] = [*found, *_rule_plugins().found.values()]
    return {plugin.package: plugin.version for plugin in sorted(used, key=lambda one: one.package)}


def find_misfit(needed: Mapping[str, str]) -> str | None:
    """Return which recorded package is not installed in its version, and what to do."""
    for package, wanted in needed.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "none"
        if found != wanted:
            return (
                f"the profile needs the package {package} {wanted}, and {found} is installed: "
                f"pip install '{package}=={wanted}', or change the line"
            )
    return None


def _rule_plugins() -> Plugins:
    if not has_plugins("filter_rules"):  # importing the rules imports SQLAlchemy
        return Plugins("filter_rules")
    from chatgenimage.tasks.filter_rules import PLUGIN_RULES

    return PLUGIN_RULES
