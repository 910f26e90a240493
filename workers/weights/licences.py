"""Licence of a checkpoint, from the model card that is published next to its weights."""

import re
from pathlib import Path

import yaml

CARD = "README.md"
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def read_licence(folder: Path) -> str | None:
    """Return the licence in the front matter of a folder's model card; None: it names none.

    A licence of the publisher's own is named by `license_name`.
    """
    card = folder / CARD
    if not card.is_file():
        return None
    found = FRONT_MATTER.match(card.read_text(encoding="utf-8", errors="replace"))
    try:
        values = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        return None
    if not isinstance(values, dict):
        return None
    licence = values.get("license")
    if licence in {None, "other"}:
        licence = values.get("license_name") or licence
    return str(licence) if licence else None
