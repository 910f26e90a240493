"""What a page's address asks for: a filter of candidates, and the address that asks for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from chatgenimage.db.queries import CandidateFilter, Range
from chatgenimage.factory.errors import UnknownName
from chatgenimage.factory.query.rows import Filters, make_filter

MAX_ID = 2**31 - 1
MOST_DIGITS = 10
MOST_WORDS = 20
TEXTS: tuple[Literal["verdict", "origin", "reason", "marked"], ...] = (
    "verdict",
    "origin",
    "reason",
    "marked",
)
WORDS = ("label", "object", "caption")
NUMBERS: tuple[Literal["run", "round", "duplicates_of"], ...] = ("run", "round", "duplicates_of")
OTHERS = ("score", "min", "max", "min_objects", "max_objects")
FROM_ZERO = {"round", "min_objects", "max_objects"}


@dataclass(frozen=True, slots=True)
class Search:
    """Which candidates are looked through.

    Attributes:
        wanted: The same as a filter.
        asked: What was asked for by name, as typed; without what is empty.
    """

    wanted: CandidateFilter
    asked: Mapping[str, str]

    @property
    def query(self) -> str:
        """Return the part of an address behind the question mark, with the mark; may be empty."""
        return f"?{urlencode(self.asked)}" if self.asked else ""

    def query_with(self, **more: str | int | None) -> str:
        """Return the same with other values; None leaves one out."""
        merged = {**self.asked, **more}
        return f"?{urlencode({name: value for name, value in merged.items() if value is not None})}"


def parse_search(params: QueryParams) -> Search:
    """Return what an address asks for.

    Raises:
        UnknownName: If a name is none of ours or a number is none.
    """
    names = (*WORDS, *TEXTS, *NUMBERS, *OTHERS)
    typed = {name: params.get(name, "").replace("\0", "").strip() for name in names}
    asked = {name: text for name, text in typed.items() if text}
    filters: Filters = {
        "label": _several(asked, "label", ","),
        "objects": _several(asked, "object", ","),
        "caption": _several(asked, "caption", None),
        "scores": _parse_range(asked),
        "object_count": (_number(asked, "min_objects"), _number(asked, "max_objects")),
    }
    for text in TEXTS:
        if text in asked:
            filters[text] = asked[text]
    for name in NUMBERS:
        if (number := _number(asked, name)) is not None:
            filters[name] = number
    return Search(make_filter(**filters), asked)


def parse_number(name: str, text: str | None) -> int | None:
    """Return a whole number of an address, None if it is not there.

    Raises:
        UnknownName: If it is none, or none of a row where a row is meant.
    """
    if not text:
        return None
    least = int(name not in FROM_ZERO)
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    if not (is_number and least <= int(text) <= MAX_ID):
        expected = ", ".join(str(least + more) for more in range(3))
        raise UnknownName(f"{name}={text} is no number of ours: expected {expected} and so on.")
    return int(text)


def _number(asked: Mapping[str, str], name: str) -> int | None:
    return parse_number(name, asked.get(name))


def _parse_range(asked: Mapping[str, str]) -> dict[str, Range]:
    if "score" not in asked:
        return {}
    return {asked["score"]: (_parse_bound(asked, "min"), _parse_bound(asked, "max"))}


def _parse_bound(asked: Mapping[str, str], name: str) -> float | None:
    if name not in asked:
        return None
    try:
        bound = float(asked[name])
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise UnknownName(f"{name}={asked[name]} is no number: expected one such as 0.25.")
    return bound


def _several(asked: Mapping[str, str], name: str, between: str | None) -> list[str]:
    """Return the words of a filter; None: white space is between them."""
    words = [word.strip() for word in asked.get(name, "").split(between)]
    found = [word for word in words if word]
    if len(found) > MOST_WORDS:  # a database takes so many conditions, not any number
        raise UnknownName(f"{name} has {len(found)} words: ask for {MOST_WORDS} at most.")
    return found
