"""Candidates as Arrow tables and pandas data frames; needs the extra `table`."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from chatgenimage.factory.errors import LibraryMissing
from chatgenimage.factory.query.rows import CandidateRow
from chatgenimage.tasks.filter_rules import SCORE_NAMES

try:
    import pyarrow as pa
except ImportError as error:
    raise LibraryMissing("tables need pyarrow: pip install '.[table]'.") from error

ROWS_PER_BATCH = 1000
OBJECT = pa.struct(
    [
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("box_xyxy", pa.list_(pa.float64(), 4)),
        ("area_px", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("run", pa.int64()),
        ("label", pa.string()),
        ("key", pa.string()),
        ("parent_id", pa.int64()),
        ("origin", pa.string()),
        ("round", pa.int64()),
        ("seed", pa.int64()),
        ("prompt", pa.string()),
        ("negative_prompt", pa.string()),
        ("caption", pa.string()),
        ("source_name", pa.string()),
        ("domain", pa.string()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
        ("duplicate_of_id", pa.int64()),
        ("mark", pa.string()),
        ("width_px", pa.int64()),
        ("height_px", pa.int64()),
        ("sha256", pa.string()),
        ("image", pa.string()),
        ("created_at", pa.float64()),
        *((name, pa.float64()) for name in SCORE_NAMES),
        ("objects", pa.list_(OBJECT)),
    ]
)


def to_table(rows: Iterable[CandidateRow]) -> pa.Table:
    """Return the rows as a table, with a column per score and a list of objects."""
    left = iter(rows)
    batches = []
    while page := list(islice(left, ROWS_PER_BATCH)):
        batches.append(pa.RecordBatch.from_pylist([_record(row) for row in page], SCHEMA))
    return pa.Table.from_batches(batches, SCHEMA)


def to_frame(rows: Iterable[CandidateRow]) -> Any:  # noqa: ANN401  # pandas has no types
    """Return the same as a data frame.

    Raises:
        LibraryMissing: If pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: F401  # pyarrow loads it
    except ImportError as error:
        raise LibraryMissing("data frames need pandas: pip install '.[table]'.") from error
    return to_table(rows).to_pandas()


def _record(row: CandidateRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in SCHEMA.names if hasattr(row, name)}
    objects = [found.to_record() for found in row.annotations]
    return {**plain, **row.scores, "objects": objects}
