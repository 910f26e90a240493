"""Roles: the families that each kind of worker loads, if the profile does not say otherwise."""

from collections.abc import Mapping
from typing import Any

DEFAULT_ROLES: Mapping[str, tuple[str, ...]] = {
    "language": ("language",),
    "diffusion": ("diffusion",),
    "editing": ("editing",),
    "labeling": ("captioning", "detection", "segmentation"),
    "scoring": ("similarity",),
}
OPTIONAL_FAMILIES: Mapping[str, str] = {"judging": "scoring", "filling": "diffusion"}
"""Role that loads a family which a profile may have, if no role of the profile names it."""


def with_optional(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return the roles of a profile with each optional family that none of them names.

    Args:
        profile: Values that are not validated yet; what is wrong with them is left as it is.
    """
    families, roles = profile.get("families"), profile.get("roles", DEFAULT_ROLES)
    if not (isinstance(families, Mapping) and isinstance(roles, Mapping)):
        return {}
    lists = {role: keys for role, keys in roles.items() if isinstance(keys, list | tuple)}
    named = [key for keys in lists.values() for key in keys]
    missing: dict[str, list[str]] = {}
    for key, role in OPTIONAL_FAMILIES.items():
        if key in families and key not in named and role in lists:
            missing.setdefault(role, []).append(key)
    added = {role: (*lists[role], *keys) for role, keys in missing.items()}
    return {"roles": {**roles, **added}} if added else {}
