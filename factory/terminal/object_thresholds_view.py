"""Thresholds of the detector by class, as a table."""

import math
from collections.abc import Iterator, Mapping
from textwrap import indent

import yaml
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.curation.object_thresholds import LEAST_OBJECTS, ObjectThresholds
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
    legend = (
        "from: the least confidence that was stored; best: the threshold with the greatest F1. "
        f"{_advice(found.suggested())}"
    )
    return Group(table, Text(legend, style="dim"), *_lines(found.suggested()))


def _advice(suggested: Mapping[str, float]) -> str:
    if suggested:
        return "For the next run, below `chain:` of its profile:"
    return (
        f"No class with {LEAST_OBJECTS} true objects or more gains by a higher threshold; the "
        "profile is right as it is."
    )


def _lines(suggested: Mapping[str, float]) -> Iterator[Text]:
    """Yield the lines of a profile that have the thresholds."""
    if suggested:
        record = {"box_thresholds": dict(suggested)}
        text = yaml.safe_dump(record, allow_unicode=True, sort_keys=False, width=math.inf)
        yield Text(indent(text, "  ").rstrip("\n"), overflow="fold")


def _cells(quality: ThresholdQuality | None) -> tuple[str, str, str]:
    if quality is None:
        return ("-", "-", "-")
    precision = "-" if quality.precision is None else f"{quality.precision:.2f}"
    return f"{quality.threshold:.3g}", precision, f"{quality.recall:.2f}"
