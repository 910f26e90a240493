"""Thresholds of the detector by class, as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.curation.object_thresholds import ObjectThresholds
from chatgenimage.factory.curation.thresholds import ThresholdQuality

COLUMNS = ("class", "objects", "detected", "from", "precision", "recall")
SUGGESTED = ("best", "precision", "recall")
ALL = "all classes"


def object_thresholds_view(found: ObjectThresholds) -> RenderableType:
    """Return the table: as detected, and at the best threshold, by class."""
    title = f"Run {found.run_id}: {found.images} checked images"
    table = Table(title=title, title_justify="left", box=None)
    for index, column in enumerate((*COLUMNS, *SUGGESTED)):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for one in found.classes:
        name = Text(ALL, "bold") if one.label is None else Text(one.label)
        counts = (str(one.objects), str(one.detected))
        table.add_row(name, *counts, *_cells(one.now), *_cells(one.best))
    told = (
        "from: the least confidence that was stored; best: the threshold with the greatest F1. "
        "A profile has one for all classes: box_threshold of its detector."
    )
    return Group(table, Text(told, style="dim"))


def _cells(quality: ThresholdQuality | None) -> tuple[str, str, str]:
    if quality is None:
        return ("-", "-", "-")
    precision = "-" if quality.precision is None else f"{quality.precision:.2f}"
    return f"{quality.threshold:.3g}", precision, f"{quality.recall:.2f}"
