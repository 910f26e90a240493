"""Frozen profile: the settings stored with a run, without secrets, paths and URLs."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from chatgenimage.db.addresses import without_secrets
from chatgenimage.factory.settings.merging import given, merge
from chatgenimage.factory.settings.model import PLACES, Settings, validated
from chatgenimage.factory.settings.plugins import versions_used
from chatgenimage.factory.settings.validation_errors import SettingSource


def dump_profile(settings: Settings) -> dict[str, Any]:
    """Return the settings that shape the images, as JSON values: no secrets, paths or URLs.

    A run stores them; `settings_from_frozen` turns them into settings again. URLs are stored
    without user and query: a worker takes those from its own profile and environment.
    """
    frozen = settings.model_dump(mode="json", exclude=set(PLACES))
    if versions := versions_used(settings.families.values()):
        frozen["plugins"] = versions
    return _without_secrets(frozen, settings)


def models_key(settings: Settings) -> str:
    """Return a hash of the families and plug-ins as a run freezes them: the same, the same key."""
    frozen = dump_profile(settings)
    plugins = [frozen["plugins"]] if "plugins" in frozen else []
    text = "".join(json.dumps(part, sort_keys=True) for part in (frozen["families"], *plugins))
    return hashlib.sha256(text.encode()).hexdigest()


def settings_from_frozen(frozen: Mapping[str, Any], **overrides: Any) -> Settings:  # noqa: ANN401 (any field)
    """Return the settings of a frozen profile, without reading files or environment.

    Args:
        frozen: What `dump_profile` returned.
        overrides: Paths, URLs and secrets, which a frozen profile lacks.
    """
    sources = (
        SettingSource("the frozen profile", dict(frozen)),
        SettingSource("the arguments", given(overrides)),
    )
    return validated(merge(sources[0].values, sources[1].values), sources)


def _without_secrets(values: dict[str, Any], model: Settings) -> dict[str, Any]:
    for key, family in model.families.items():
        for name in type(family).model_fields:
            value = getattr(family, name)
            if isinstance(value, SecretStr):
                values["families"][key][name] = None
            elif isinstance(value, str):
                values["families"][key][name] = without_secrets(value)
    return values
