"""Read profiles and merge the values of profile, environment and arguments."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from chatgenimage.factory.errors import SettingsError


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the keys of a profile.

    Raises:
        SettingsError: If it is not valid YAML, or not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark
        where = f" (line {found.line + 1}, column {found.column + 1})" if found else ""
        raise SettingsError(f"{path} is not valid YAML: {error.problem}{where}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"{path} cannot be read: {reason}.") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise SettingsError(f"{path} must be a mapping of keys; compare configs/micro.yaml.")
    return values


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are given: None means "not given"."""
    nested = {
        key: given(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }
    return {key: value for key, value in nested.items() if value is not None}


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` updated with `top`, key by key in nested mappings."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and _are_alike(below, value):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _are_alike(below: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    """Return False if the family changes: two families have different keys."""
    return bool(top.get("family", below.get("family")) == below.get("family"))
