"""Records: what a dataset keeps of a sample besides its pixels, complete and with fixed types.

Readers infer types from values. A null could give a column one type in one file and another in the
next, so a value that is not known has a stand-in of its type.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

NO_CLASS_ID = -1
"""Of an image without a class."""

INTEGER, NUMBER, TEXT = "int64", "float64", "string"
STAND_INS: Mapping[str, Any] = MappingProxyType({INTEGER: 0, TEXT: ""})
"""Instead of null: ids and sizes begin at 1."""

RECORD: Mapping[str, str] = MappingProxyType(
    {
        "candidate_id": INTEGER,
        "parent_id": INTEGER,
        "run_id": INTEGER,
        "label": TEXT,
        "origin": TEXT,
        "round": INTEGER,
        "verdict": TEXT,
        "mark": TEXT,
        "caption": TEXT,
        "prompt": TEXT,
        "negative_prompt": TEXT,
        "source_name": TEXT,
        "source_width": INTEGER,
        "source_height": INTEGER,
        "domain": TEXT,
    }
)
"""Type of each value, in order."""

SIZE: Mapping[str, str] = MappingProxyType({"width": INTEGER, "height": INTEGER})

_MASK = [{"name": "size", "list": INTEGER}, {"name": "counts", "dtype": TEXT}]
_OBJECTS = [
    {"name": "id", "list": INTEGER},
    {"name": "bbox", "list": {"list": NUMBER}},
    {"name": "category", "list": TEXT},
    {"name": "area", "list": INTEGER},
    {"name": "score", "list": NUMBER},
    {"name": "segmentation", "list": _MASK},
]


def complete_record(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with every value, in order; what is not known has a stand-in."""
    return {
        name: STAND_INS[kind] if known.get(name) is None else known[name]
        for name, kind in RECORD.items()
    }


def describe_columns(*columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return columns and then `objects` as the front matter of a dataset card has them."""
    kinds = [pair for each in columns for pair in each.items()]
    return [
        *({"name": name, "dtype": kind} for name, kind in kinds),
        {"name": "objects", "struct": _OBJECTS},
    ]


def arrow_schema(*columns: Mapping[str, str]) -> "pa.Schema":
    """Return the types of columns, and of `objects`, for a Parquet file."""
    import pyarrow as pa

    return pa.schema([(each["name"], _arrow_type(each)) for each in describe_columns(*columns)])


def _arrow_type(described: Mapping[str, Any] | str) -> "pa.DataType":
    """Return the Arrow type of a column as `describe_columns` describes it."""
    import pyarrow as pa

    if isinstance(described, str):
        return pa.type_for_alias(described)
    if "dtype" in described:
        return pa.type_for_alias(described["dtype"])
    if "struct" in described:
        return pa.struct([(each["name"], _arrow_type(each)) for each in described["struct"]])
    inner = described["list"]
    return pa.list_(_arrow_type({"struct": inner} if isinstance(inner, list) else inner))
