"""Candidates as a table for people, and as CSV and JSON for programs."""

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.foreign_text import csv_cell, to_indented_json
from chatgenimage.factory.query.rows import CandidateRow
from chatgenimage.factory.terminal.tables import colour_of
from chatgenimage.tasks.filter_rules import CLIP_SIMILARITY, SCORE_NAMES

WIDTH_FOR_IMAGE = 160
COLUMNS = (
    *("id", "run", "label", "key", "origin", "round", "verdict", "reason", "duplicate_of", "mark"),
    *("parent", "seed", "prompt", "negative_prompt", "caption", "objects", *SCORE_NAMES),
    *("source_name", "domain", "image"),
)
"""Columns of the CSV."""


def print_candidates(
    rows: Iterable[CandidateRow], form: Literal["table", "csv", "json"], console: Console
) -> int:
    """Print candidates; return how many. CSV and JSON are printed row by row, not kept in memory.

    Args:
        rows: To print.
        form: As a table, as CSV with a column per score, or as a list in JSON.
        console: To print on.
    """
    if form == "table":
        kept = list(rows)
        console.print(_to_table(kept, with_image=console.width >= WIDTH_FOR_IMAGE))
        return len(kept)
    return (_print_csv if form == "csv" else _print_json)(rows, console)


def _print_json(rows: Iterable[CandidateRow], console: Console) -> int:
    count, line = 0, "["
    for row in rows:
        count += 1
        console.print(Text(line), soft_wrap=True)
        line = f"{textwrap.indent(to_indented_json(row.to_record()), '  ')},"
    console.print(Text(line.removesuffix(",")), soft_wrap=True)
    console.print("]")
    return count


def _print_csv(rows: Iterable[CandidateRow], console: Console) -> int:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="")
    writer.writeheader()
    count = 0
    for row in rows:
        count += 1
        console.print(Text(_take(text)), soft_wrap=True)
        record = row.to_record()
        cells = {**record, **record["scores"], "objects": " ".join(record["objects"])}
        writer.writerow({name: csv_cell(value) for name, value in cells.items()})
    console.print(Text(_take(text)), soft_wrap=True)
    return count


def _take(text: io.StringIO) -> str:
    """Return what was written, and empty it."""
    line = text.getvalue()
    text.seek(0)
    text.truncate()
    return line


def _to_table(rows: Sequence[CandidateRow], *, with_image: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("id", justify="right")
    for name in ("label", "origin", "verdict", "clip", "caption"):
        table.add_column(name)
    if with_image:
        table.add_column("image", no_wrap=True, style="dim")
    for row in rows:
        verdict = row.verdict or "not judged"
        reason = f": {row.reason}" if row.reason else ""
        reason += f" of {row.duplicate_of_id}" if row.duplicate_of_id else ""
        review = f", marked {row.mark}" if row.mark else ""
        similarity = row.scores.get(CLIP_SIMILARITY.name)
        image = [Text(_short(row.image))] if with_image else []
        table.add_row(
            str(row.id),
            Text(row.label),
            row.origin,
            Text(verdict + reason + review, style=colour_of(row.verdict)),
            "" if similarity is None else f"{similarity:.2f}",
            Text(row.caption or ""),
            *image,
        )
    return table


def _short(path: str) -> str:
    """Return a path as seen from here, if it lies below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
