"""Labels of a run as a table: counts, what is missing, and why candidates were rejected."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from chatgenimage.db.label_progress import LabelProgress
from chatgenimage.factory.progress.label_view import list_reasons

LEAST_LABEL = 12
"""Columns of a label, even on a narrow screen."""
LEAST_REASONS = 16


def label_table(labels: Sequence[LabelProgress], reasons: Mapping[int, Mapping[str, int]]) -> Table:
    """Return a line per label; a label that lacks accepted candidates is yellow.

    Args:
        labels: In the order of the lines.
        reasons: Number of rejected candidates by label id and reason.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label", overflow="fold", min_width=LEAST_LABEL)
    for name in ("accepted", "missing", "made", "rejected"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("rejected, by reason", overflow="fold", min_width=LEAST_REASONS)
    for one in labels:
        table.add_row(
            Text(one.label),
            Text(f"{one.accepted}/{one.asked}", style="yellow" if one.missing else "green"),
            *(str(number) for number in (one.missing, one.made, one.rejected)),
            Text(one.state, style="dim"),
            Text(list_reasons(reasons.get(one.label_id, {})), style="yellow"),
        )
    return table
