"""Coverage of a run as a table: accepted and wanted images of each label in each domain."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from chatgenimage.db.domains import Coverage, list_coverage, to_matrix
from chatgenimage.factory.commands import spell

MOST_LABELS = 40


def coverage_view(session: Session, run_id: int) -> Iterator[RenderableType]:
    """Yield the table of a run, and a line if it has more labels; nothing without domains."""
    rows = to_matrix(list_coverage(session, run_id, MOST_LABELS + 1))
    if not rows:
        return
    table = Table(title="Coverage, accepted/wanted", title_justify="left", box=None)
    table.add_column("label")
    shown = list(rows.items())[:MOST_LABELS]
    for domain in shown[0][1]:
        table.add_column(Text(domain), justify="right")
    for label, cells in shown:
        table.add_row(Text(label), *map(_cell, cells.values()))
    yield table
    if len(rows) > MOST_LABELS:
        yield Text(f"More labels: {spell('status', run_id, '--json')} lists all.", style="dim")


def _cell(cell: Coverage | None) -> Text:
    if cell is None:
        return Text("-", style="dim")
    return Text(f"{cell.accepted}/{cell.wanted}", style="green" if cell.is_full else "yellow")
