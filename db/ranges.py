"""Ranges of numbers in filters, as conditions on a column."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement

Range = tuple[float | None, float | None]
"""Minimum and maximum, both inclusive; None is unbounded."""
OPEN: Range = (None, None)


def is_within(
    column: ColumnElement[float] | ColumnElement[int], limits: Range
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that a value is in a range."""
    least, most = limits
    if least is not None:
        yield column >= least
    if most is not None:
        yield column <= most
