"""Pictures: a few candidates that a notebook shows in a grid."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chatgenimage.factory.query.rows import CandidateRow

SHOWN_PICTURES = 24


@dataclass(frozen=True, slots=True)
class Pictures:
    """Candidates that a notebook shows as pictures; for a program a sequence of rows.

    Attributes:
        total: Number of candidates that match, of which these are the first.
    """

    rows: tuple[CandidateRow, ...] = field(repr=False)
    total: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[CandidateRow]:
        return iter(self.rows)

    def to_html(self) -> str:
        """Return the cards of all rows."""
        cards = "".join(row.to_html() for row in self.rows)
        return f"<div>{len(self.rows)} of {self.total} candidates</div><div>{cards}</div>"

    _repr_html_ = to_html
