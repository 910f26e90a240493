"""Names that people give: labels and domains, normalised, or refused with the reason."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from chatgenimage.workers.image_options import MOST_TIMES

MAX_NAME_LENGTH = 100
ALLOWED_PUNCTUATION = frozenset("-'&.,()")
JOINS_WORDS = frozenset("_/")
"""In labels, between letters or digits: "traffic_light", "TV/monitor", as data sets write them."""
PROMPT_SLOT = "{prompt}"
MAX_STYLE_LENGTH = 300
MAX_NEGATIVE_LENGTH = 300
SIZE = re.compile(r" *([0-9]{1,6}) *[xX\N{MULTIPLICATION SIGN}] *([0-9]{1,6}) *")
ASPECT = re.compile(r" *([1-9][0-9]{0,3}) *: *([1-9][0-9]{0,3}) *")
SHORTEST_SIDE_PX, LONGEST_SIDE_PX = 16, 8192
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
    joins = JOINS_WORDS if kind == "label" else frozenset()
    if wrong := next((each for each in _without_joins(name, joins) if not _is_allowed(each)), None):
        among = " and between them _ and /" if joins else ""
        raise ValueError(
            f"contains {_name(wrong)}; a {kind} may contain letters, digits, spaces and -'&.,()"
            f"{among}"
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


def clean_style(text: str) -> str:
    """Return the form of a prompt, with {prompt} in it: "a photo of {prompt}, at dusk".

    Without {prompt}, the text is put behind the prompt.

    Raises:
        ValueError: If it has other braces, a control character, or is too long.
    """
    form = " ".join(text.split())
    if PROMPT_SLOT not in form:
        form = f"{PROMPT_SLOT}, {form}"
    rest = form.replace(PROMPT_SLOT, "")
    if "{" in rest or "}" in rest:
        raise ValueError("expected no braces but {prompt}")
    if not form.isprintable() or len(form) > MAX_STYLE_LENGTH:
        raise ValueError(f"expected at most {MAX_STYLE_LENGTH} printable characters")
    return form


def clean_negative_prompt(text: str) -> str:
    """Return a negative prompt with single spaces.

    Raises:
        ValueError: If it has a control character, or is too long.
    """
    spaced = " ".join(text.split())
    if not spaced.isprintable() or len(spaced) > MAX_NEGATIVE_LENGTH:
        raise ValueError(f"expected at most {MAX_NEGATIVE_LENGTH} printable characters")
    return spaced


def parse_size(text: str) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return a size in pixels, "768x512", or else a proportion, "3:2"; the other one is None.

    Raises:
        ValueError: If it is neither, or a side is too short or too long.
    """
    if found := SIZE.fullmatch(text):
        width, height = map(int, found.groups())
        if not all(SHORTEST_SIDE_PX <= side <= LONGEST_SIDE_PX for side in (width, height)):
            raise ValueError(
                f"expected sides of {SHORTEST_SIDE_PX} to {LONGEST_SIDE_PX} pixels, as in 768x512"
            )
        return (width, height), None
    if found := ASPECT.fullmatch(text):
        width, height = map(int, found.groups())
        if max(width, height) > MOST_TIMES * min(width, height):
            raise ValueError(f"expected no side more than {MOST_TIMES} times the other, as in 3:2")
        return None, (width, height)
    raise ValueError("expected width and height in pixels, as in 768x512, or a proportion: 3:2")


def _without_joins(name: str, joins: frozenset[str]) -> Iterator[str]:
    """Yield the characters of a name, but not those that join two letters or digits."""
    for before, each, after in zip(f" {name}"[:-1], name, f"{name} "[1:], strict=True):
        if each not in joins or not (before.isalnum() and after.isalnum()):
            yield each


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
