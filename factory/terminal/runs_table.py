"""Runs as a table, a line each."""

import time
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from chatgenimage.db.runs import RunSummary
from chatgenimage.db.states import RunState
from chatgenimage.factory.progress.live_view import format_duration

STYLES: dict[str, str] = {
    RunState.ACTIVE: "cyan",
    RunState.PAUSED: "yellow",
    RunState.CANCELLED: "red",
    RunState.DONE: "green",
}


def runs_table(runs: Sequence[RunSummary], now: float) -> Table:
    """Return the runs with labels, state, start, duration and counts.

    Args:
        runs: The runs in order.
        now: Seconds since the epoch; a run without an end has lasted until now.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run", justify="right")
    table.add_column("labels", overflow="ellipsis", no_wrap=True, ratio=1, min_width=12)
    for name in ("state", "started", "took"):
        table.add_column(name, no_wrap=True)
    for name in ("made", "accepted", "asked"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at))
        table.add_row(
            str(run.run_id),
            Text(_name_labels(run)),
            Text(run.state, style=STYLES.get(run.state, "")),
            started,
            format_duration((run.finished_at or now) - run.created_at),
            *(str(count) for count in (run.candidates, run.accepted, run.asked)),
        )
    return table


def _name_labels(run: RunSummary) -> str:
    more = run.labels - len(run.names)
    return ", ".join(run.names) + (f" and {more} more" if more > 0 else "")
