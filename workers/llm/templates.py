"""Prompts of the paper (Table 1) as conversations with slots; the texts are in `prompts/`."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("prompts")
ROLE = re.compile(r"^\[(system|user|assistant)\]\n", re.MULTILINE)
SLOT = re.compile(r"\{([a-z ]+)\}")

Message = dict[str, str]


def fill_template(name: str, slots: Mapping[str, str]) -> tuple[Message, ...]:
    """Return the chat messages of a template with its slots filled.

    A text that is filled in is not searched for slots again.

    Args:
        name: File name without ".txt".
        slots: Text by slot, e.g. "label word".
    """
    return tuple(
        {"role": role, "content": SLOT.sub(lambda match: slots[match[1]], content)}
        for role, content in _turns(name)
    )


def count_characters(name: str) -> int:
    """Return the length of a template with its slots unfilled."""
    return sum(len(content) for _, content in _turns(name))


@cache
def _turns(name: str) -> tuple[tuple[str, str], ...]:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    _, *parts = ROLE.split(text)
    return tuple(
        (role, content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True)
    )
