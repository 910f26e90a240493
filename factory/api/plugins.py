"""Installed plug-ins of every kind, for `factory doctor`."""

from collections.abc import Iterator

from chatgenimage.factory.doctor.findings import Finding, Health
from chatgenimage.factory.export.formats import PLUGIN_FORMATS
from chatgenimage.factory.submission.label_readers import label_readers
from chatgenimage.tasks.filter_rules import PLUGIN_RULES
from chatgenimage.workers.families import FAMILY_PLUGINS
from chatgenimage.workers.plugins import GROUPS


def examine_plugins() -> Iterator[Finding]:
    """Yield what other packages add, and what of it cannot be used; nothing if there is none."""
    groups = (FAMILY_PLUGINS, PLUGIN_RULES, PLUGIN_FORMATS, label_readers())
    problems = [problem for group in groups for problem in group.problems]
    found = [
        f"{GROUPS[group.group]} {plugin.name} ({plugin.package} {plugin.version})"
        for group in groups
        for plugin in group.found.values()
    ]
    if problems:
        yield Finding("plug-ins", Health.WRONG, " ".join(problems))
    elif found:
        yield Finding("plug-ins", Health.OK, ", ".join(found))
