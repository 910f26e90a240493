"""Frozen profile: the settings stored with a run, and the keys that are made of it."""

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

NO_RESULT = frozenset(
    {"prompt_price", "completion_price", "price_per_image", "timeout_s", "max_retries"}
)
"""Settings of a family that change no image and no answer: prices and patience. A run stores them,
but they are in no key: a worker with other prices continues it. `base_url` is in the keys, because
another server may have another model of the same name, and so are `offload` and `compile`, because
no one has compared their images on a GPU."""


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
    """Return a hash of what shapes the images of a run: its families (`NO_RESULT`) and plug-ins."""
    frozen = _without_prices(dump_profile(settings))
    plugins = [frozen["plugins"]] if "plugins" in frozen else []
    text = "".join(json.dumps(part, sort_keys=True) for part in (frozen["families"], *plugins))
    return hashlib.sha256(text.encode()).hexdigest()


def list_keyed_profiles(settings: Settings) -> list[dict[str, Any]]:
    """Return the profile as the keys of requests have it: now, and in version 0.2.

    A run that version 0.2 submitted has the prices in its key; it is found by the second one.
    """
    frozen = dump_profile(settings)
    return [_without_prices(frozen), frozen]


def settings_from_frozen(frozen: Mapping[str, Any], **overrides: Any) -> Settings:  # noqa: ANN401 (any field)
    """Return the settings of a frozen profile, without reading files or environment.

    Args:
        frozen: What `dump_profile` returned.
        overrides: Paths, URLs and secrets, which a frozen profile lacks.
    """
    sources = (
        SettingSource("the frozen profile", dict(frozen)),
        SettingSource("the arguments", given(overrides), has_options=True),
    )
    return validated(merge(sources[0].values, sources[1].values), sources)


def _without_prices(frozen: Mapping[str, Any]) -> dict[str, Any]:
    families = {
        key: {name: value for name, value in family.items() if name not in NO_RESULT}
        for key, family in frozen["families"].items()
    }
    return {**frozen, "families": families}


def _without_secrets(values: dict[str, Any], model: Settings) -> dict[str, Any]:
    for key, family in model.families.items():
        for name in type(family).model_fields:
            value = getattr(family, name)
            if isinstance(value, SecretStr):
                values["families"][key][name] = None
            elif isinstance(value, str):
                values["families"][key][name] = without_secrets(value)
    return values
