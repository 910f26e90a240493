"""The frozen profile: what a run keeps of its settings, without secrets and places."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from chatgenimage.factory.settings.merging import given, merge
from chatgenimage.factory.settings.model import PLACES, Settings, validated
from chatgenimage.factory.settings.validation_errors import Source


def dump_profile(settings: Settings) -> dict[str, Any]:
    """Return what the profile makes, as JSON values: no secrets, no places.

    A run freezes this; `settings_from_frozen` is the way back.
    """
    frozen = settings.model_dump(mode="json", exclude=set(PLACES))
    return _without_secrets(frozen, settings)


def models_key(frozen: Mapping[str, Any]) -> str:
    """Return a hash of the families of a frozen profile: the same models, the same key."""
    families = json.dumps(frozen["families"], sort_keys=True)
    return hashlib.sha256(families.encode()).hexdigest()


def settings_from_frozen(frozen: Mapping[str, Any], **overrides: Any) -> Settings:  # noqa: ANN401 (any field)
    """Return the settings of a frozen profile, blind to files and environment.

    Args:
        frozen: What `dump_profile` returned.
        overrides: Places and secrets, which a frozen profile lacks.
    """
    sources = (
        Source("the frozen profile", dict(frozen)),
        Source("the arguments", given(overrides)),
    )
    return validated(merge(sources[0].values, sources[1].values), sources)


def _without_secrets(values: dict[str, Any], model: Settings) -> dict[str, Any]:
    for key, family in model.families.items():
        for name in type(family).model_fields:
            if isinstance(getattr(family, name), SecretStr):
                values["families"][key][name] = None
    return values
