"""Prompts of the paper (Table 1) as conversations with slots; the texts are in `prompts/`.

A folder of a person's own texts may replace some of them or all.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from chatgenimage.workers.errors import TemplateBroken

FOLDER = Path(__file__).with_name("prompts")
SUFFIX = ".txt"
ROLE = re.compile(r"^\[(system|user|assistant)\]\n", re.MULTILINE)
SLOT = re.compile(r"\{([a-z ]+)\}")

Message = dict[str, str]


def fill_template(
    name: str, slots: Mapping[str, str], folder: Path | None = None
) -> tuple[Message, ...]:
    """Return the chat messages of a template with its slots filled.

    A text that is filled in is not searched for slots again.

    Args:
        name: File name without ".txt".
        slots: Text by slot, e.g. "label word".
        folder: Folder of own templates; one that it lacks is Table 1's.
    """
    return tuple(
        {"role": role, "content": SLOT.sub(lambda match: slots[match[1]], content)}
        for role, content in _turns(_file_of(name, folder))
    )


def count_characters(name: str) -> int:
    """Return the length of a template with its slots unfilled."""
    return sum(len(content) for _, content in _turns(_file_of(name)))


def check_templates(folder: Path) -> str:
    """Check a folder of own templates; return a hash of their texts.

    Raises:
        TemplateBroken: If there is no such folder, or a file in it cannot be used; says what is
            expected.
    """
    known = sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if not files:
        names = ", ".join(f"{name}{SUFFIX}" for name in known)
        raise TemplateBroken(f"no question in {folder}; expected some of {names}.")
    for path in files:
        if path.stem not in known:
            raise TemplateBroken(f"{path}: unknown question; expected one of {', '.join(known)}.")
        _check(path)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _check(path: Path) -> None:
    """Check one own template against Table 1's of the same name."""
    try:
        turns = _turns(path)
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateBroken(f"{path} cannot be read as UTF-8: {error}.") from None
    if not turns or turns[-1][0] != "user":
        raise TemplateBroken(
            f"{path}: expected lines [system], [user] or [assistant], each followed by its text; "
            "the last one is [user], the question."
        )
    slots = _slots_of(_turns(_file_of(path.stem)))
    if unknown := sorted(_slots_of(turns) - slots):
        expected = ", ".join(f"{{{slot}}}" for slot in sorted(slots))
        raise TemplateBroken(f"{path}: unknown slot {{{unknown[0]}}}; expected {expected}.")


def _slots_of(turns: tuple[tuple[str, str], ...]) -> set[str]:
    return {slot for _, content in turns for slot in SLOT.findall(content)}


def _file_of(name: str, folder: Path | None = None) -> Path:
    own = folder / f"{name}{SUFFIX}" if folder else None
    return own if own and own.is_file() else FOLDER / f"{name}{SUFFIX}"


@cache
def _turns(path: Path) -> tuple[tuple[str, str], ...]:
    _, *parts = ROLE.split(path.read_text(encoding="utf-8"))
    return tuple(
        (role, content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True)
    )
