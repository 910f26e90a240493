"""The live view of a run: per label and step what waits, runs, is done or was given up."""

import time
from collections import Counter
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from db.overview import Overview, StepCount, overview
from db.session import Sessions, reading
from factory.quotas import tell_accepted
from tasks.chain import QUEUES


class Progress:
    """A context that draws a run's progress on stderr; plain lines when that is no terminal."""

    def __init__(self, sessions: Sessions, run_id: int) -> None:
        self._sessions = sessions
        self._run_id = run_id
        self._console = Console(stderr=True)
        self._started = time.monotonic()
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._last_line = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def refresh(self) -> None:
        """Ask the database and draw."""
        with reading(self._sessions) as session:
            now = overview(session, self._run_id)
        elapsed_s = time.monotonic() - self._started
        if self._console.is_terminal:
            self._live.update(render(now, self._run_id, elapsed_s))
        elif (line := one_line(now)) != self._last_line:
            self._console.print(f"[{elapsed_s:5.0f} s] {line}", highlight=False)
            self._last_line = line


def render(now: Overview, run_id: int, elapsed_s: float) -> RenderableType:
    """Return the view as a table with a bar above it."""
    head = Text(f"run {run_id}  {elapsed_s:.0f} s  ")
    head.append(f"{now.batches_done}/{now.batches} batches done", style="bold")
    bar = ProgressBar(total=max(_total(now.steps), 1), completed=_finished(now.steps), width=60)
    rows: list[RenderableType] = [
        head,
        Padding(bar, expand=False),
        _table(now),
    ]  # a bar alone does not end its line
    return Group(*rows, *_trouble(now))


def one_line(now: Overview) -> str:
    """Return the view in one line, for logs."""
    made = sum(now.made.values())
    waits = f"; waits: {now.waits_for.splitlines()[0]}" if now.waits_for else ""
    reached = sum(not quota.missing for quota in now.quotas)
    quotas = f"; quotas {reached}/{len(now.quotas)}" if now.quotas else ""
    return (
        f"{now.batches_done}/{now.batches} batches; {made} candidates, "
        f"{sum(now.accepted.values())} accepted, {sum(now.rejected.values())} rejected"
        f"{quotas}{waits}"
    )


def _trouble(now: Overview) -> list[Text]:
    if not now.waits_for:
        return []
    return [Text(f"waits, and goes on by itself: {now.waits_for.splitlines()[0]}", style="red")]


def _table(now: Overview) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label")
    for name in QUEUES:
        table.add_column(name, justify="right")
    table.add_column("accepted", justify="right", style="green")
    table.add_column("rejected", style="yellow")
    cells = {(count.label, count.step): count for count in now.steps}
    for label in sorted({count.label for count in now.steps}):
        table.add_row(
            label,
            *(_cell(cells.get((label, name))) for name in QUEUES),
            tell_accepted(now, label),
            _reasons(now.rejected, label),
        )
    return table


def _cell(count: StepCount | None) -> Text:
    """Return "done/all", with what runs and what was given up in colour."""
    if count is None:
        return Text("·", style="dim")
    total = count.waiting + count.running + count.done + count.quarantined
    text = Text(f"{count.done}/{total}", style="bold cyan" if count.running else "")
    if count.quarantined:
        text.append(f" !{count.quarantined}", style="red")
    return text


def _reasons(rejected: Counter[tuple[str, str]], label: str) -> str:
    return ", ".join(
        f"{count} {reason}" for (name, reason), count in rejected.most_common() if name == label
    )


def _total(steps: tuple[StepCount, ...]) -> int:
    return sum(count.waiting + count.running for count in steps) + _finished(steps)


def _finished(steps: tuple[StepCount, ...]) -> int:
    return sum(count.done + count.quarantined for count in steps)
