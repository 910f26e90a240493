"""Search of the gallery: the filter that an address asks for, and the address of a filter."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from chatgenimage.db.label_progress import LabelOrder
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.ranges import Range
from chatgenimage.db.ranking import ID, Ranking
from chatgenimage.factory.query.filters import (
    DESCENDING,
    ORDERS,
    check_name,
    make_filter,
    parse_bound,
    parse_number,
    parse_order,
    split_words,
)

SORTS = {
    **{f"{name}:{DESCENDING}": f"{name}, greatest first" for name in ORDERS},
    **{name: f"{name}, smallest first" for name in ORDERS},
    f"{ID}:{DESCENDING}": "newest first",
    ID: "oldest first",
}
"""Titles of the orders, by what `parse_order` reads."""
LABEL_ORDERS = {
    LabelOrder.SUBMITTED: "as submitted",
    LabelOrder.NAME: "name",
    LabelOrder.ACCEPTED: "least accepted",
    LabelOrder.REJECTED: "most rejected",
}
"""Titles of the orders of labels, by what an address has."""
NAMES = (
    "label",
    "domain",
    "object",
    "caption",
    "verdict",
    "origin",
    "reason",
    "marked",
    "run",
    "round",
    "duplicates_of",
    "like",
    "score",
    "min",
    "max",
    "min_objects",
    "max_objects",
    "min_confidence",
    "max_confidence",
    "min_area",
    "max_area",
    "sort",
)


@dataclass(frozen=True, slots=True)
class Search:
    """The candidates that the gallery shows.

    Attributes:
        wanted: The filter.
        ranking: The order; None: by run, label and key.
        like: The candidate that the others should look like; then they are in that order.
        asked: The parameters of the address by name, as typed; empty ones are left out.
    """

    wanted: CandidateFilter
    ranking: Ranking | None
    like: int | None
    asked: Mapping[str, str]

    @property
    def query(self) -> str:
        """Return the query string of an address, with its question mark; may be empty."""
        return f"?{urlencode(self.asked)}" if self.asked else ""

    def query_with(self, **more: str | int | None) -> str:
        """Return the same with other values; None leaves one out."""
        merged = {**self.asked, **more}
        return f"?{urlencode({name: value for name, value in merged.items() if value is not None})}"


def parse_search(params: QueryParams) -> Search:
    """Return the search that an address asks for.

    Raises:
        UnknownName: If a name does not exist, or a number is none or out of range.
    """
    typed = {name: params.get(name, "").replace("\0", "").strip() for name in NAMES}
    asked = {name: text for name, text in typed.items() if text}
    wanted = make_filter(
        run=parse_number("run", asked.get("run")),
        round=parse_number("round", asked.get("round"), least=0),
        duplicates_of=parse_number("duplicates_of", asked.get("duplicates_of")),
        label=split_words("label", asked.get("label", ""), ","),
        domain=split_words("domain", asked.get("domain", ""), ","),
        objects=split_words("object", asked.get("object", ""), ","),
        caption=split_words("caption", asked.get("caption", "")),
        object_count=(
            parse_number("min_objects", asked.get("min_objects"), least=0),
            parse_number("max_objects", asked.get("max_objects"), least=0),
        ),
        object_confidence=_parse_range(asked, "min_confidence", "max_confidence"),
        object_area_px=_parse_range(asked, "min_area", "max_area"),
        scores={asked["score"]: _parse_range(asked, "min", "max")} if "score" in asked else {},
        verdict=asked.get("verdict"),
        origin=asked.get("origin"),
        reason=asked.get("reason"),
        marked=asked.get("marked"),
    )
    ranking = parse_order(asked.get("sort"))
    return Search(wanted, ranking, parse_number("like", asked.get("like")), asked)


def parse_label_order(text: str | None) -> LabelOrder:
    """Return the order of the labels of a run that an address asks for; None: as submitted.

    Raises:
        UnknownName: If there is no such order.
    """
    return LabelOrder(check_name("order", text or LabelOrder.SUBMITTED.value, LABEL_ORDERS))


def _parse_range(asked: Mapping[str, str], least: str, most: str) -> Range:
    return parse_bound(least, asked.get(least)), parse_bound(most, asked.get(most))
