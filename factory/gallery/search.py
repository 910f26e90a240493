"""What a page's address asks for: a filter of candidates, and the address that asks for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from db.queries import CandidateFilter, Range
from factory.asked import Filters, make_filter
from factory.errors import UnknownName

MAX_ID = 2**31 - 1
TEXTS: tuple[Literal["verdict", "origin", "reason", "marked"], ...] = (
    "verdict",
    "origin",
    "reason",
    "marked",
)
WORDS = ("label", "object", "caption")


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
    names = ("run", *WORDS, *TEXTS, "score", "min", "max")
    asked = {name: params[name].strip() for name in names if params.get(name, "").strip()}
    filters: Filters = {
        "label": _several(asked.get("label")),
        "objects": _several(asked.get("object")),
        "caption": asked.get("caption", "").split(),
        "scores": _parse_range(asked),
    }
    if run := parse_number("run", asked.get("run")):
        filters["run"] = run
    for name in TEXTS:
        if name in asked:
            filters[name] = asked[name]
    return Search(make_filter(**filters), asked)


def parse_number(name: str, text: str | None) -> int | None:
    """Return a whole number of an address, None if it is not there.

    Raises:
        UnknownName: If it is no number of a row.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= MAX_ID):
        raise UnknownName(f"{name}={text} is no number of ours: expected 1, 2, 3 and so on.")
    return int(text)


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


def _several(text: str | None) -> list[str]:
    """Return names that are separated by commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
