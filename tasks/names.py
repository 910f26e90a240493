"""Names that people give: labels and domains, normalised, or refused with the reason."""

import unicodedata
from collections.abc import Sequence

MAX_NAME_LENGTH = 100
ALLOWED_PUNCTUATION = frozenset("-'&.,()")
MOST_DOMAINS = 100
"""The check of a domain compares an image with all domains of its label."""


def clean_name(text: str, kind: str = "label") -> str:
    """Return the normalised name: NFC, single spaces.

    Args:
        text: As a person wrote it.
        kind: What it is the name of, for the message.

    Raises:
        ValueError: If it is empty, too long, or has a character that is not allowed.
    """
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if _is_space(character) else character for character in composed)
    name = " ".join(filter(None, spaced.split(" ")))
    if not name:
        raise ValueError("is empty; write a word")
    if wrong := next((character for character in name if not _is_allowed(character)), None):
        raise ValueError(
            f"contains {_name(wrong)}; a {kind} may contain letters, digits, spaces and -'&.,()"
        )
    if not any(unicodedata.category(character)[0] in "LN" for character in name):
        raise ValueError("has no letter and no digit; write a word")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed")
    return name


def clean_domains(value: object) -> tuple[str, ...]:
    """Return the normalised domains in order; a text is split at its commas.

    Raises:
        ValueError: If one is empty, too long, there twice, or has a character that is not
            allowed; or if there are more than `MOST_DOMAINS`.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise ValueError('expected text such as "at night,in fog", or a list of texts')
    if len(parts) > MOST_DOMAINS:
        raise ValueError(f"{len(parts)} domains are named; at most {MOST_DOMAINS} are allowed")
    domains = tuple(_clean(number, part) for number, part in enumerate(parts, start=1))
    known: set[str] = set()
    for domain in domains:
        if domain.casefold() in known:
            raise ValueError(f"{domain!r} is named twice; name each domain once")
        known.add(domain.casefold())
    return domains


def _clean(number: int, text: str) -> str:
    if "," in text:
        raise ValueError(f"domain {number} contains a comma, which separates domains")
    try:
        return clean_name(text, "domain")
    except ValueError as error:
        raise ValueError(f"domain {number} {error}") from None


def _is_space(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) == "Zs"


def _is_allowed(character: str) -> bool:
    # Letters, combining characters (vowels in many scripts) and numbers.
    return (
        unicodedata.category(character)[0] in "LMN"
        or character == " "
        or character in ALLOWED_PUNCTUATION
    )


def _name(character: str) -> str:
    code = f"U+{ord(character):04X}"
    return f"{unicodedata.name(character, 'a control character')} ({code})"
