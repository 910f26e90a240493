"""Live view of a run: counts of waiting, running, finished and given up items."""

import time
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chatgenimage.db.run_activity import HeldStep, LatestFailure
from chatgenimage.db.run_progress import RunOverview, StepCount
from chatgenimage.db.session import Sessions
from chatgenimage.factory.foreign_text import SafeConsole
from chatgenimage.factory.progress.collapse_labels import merge_labels
from chatgenimage.factory.progress.quota_text import format_accepted, format_reasons
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot, acceptance_of, labels_of
from chatgenimage.tasks.chain import QUEUES

WIDE = 110
"""Width that the table of all steps needs; a narrower screen gets two tables."""
OTHER_LINES = 14
"""Lines of a screen that are not used for labels."""
UNKNOWN = "—"


class LiveProgress:
    """Context manager that draws a run's progress on stderr; not a terminal: plain lines."""

    def __init__(self, sessions: Sessions, run_id: int) -> None:
        self._monitor = RunMonitor(sessions, run_id)
        self._console = SafeConsole(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._started = time.monotonic()
        self._last_line = ""
        self._view: RenderableType = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the terminal."""
        self._live.stop()

    def refresh(self) -> RunSnapshot:
        """Read the database and draw; return the snapshot."""
        snapshot = self._monitor.look()
        if self._console.is_terminal:
            self._view = live_view(snapshot, *self._console.size)
            self._live.update(self._view)
        elif (line := summarize(snapshot.counts)) != self._last_line:
            elapsed_s = time.monotonic() - self._started
            self._console.print(f"[{elapsed_s:5.0f} s] {line}", soft_wrap=True, markup=False)
            self._last_line = line
        return snapshot

    def note(self, message: str) -> None:
        """Print a line above the view that stays."""
        self._console.print(message, soft_wrap=True, markup=False)

    def show_outage(self, reason: str) -> None:
        """Show below the last snapshot why it is not updated."""
        if self._console.is_terminal:
            self._live.update(Group(self._view, Text(reason, style="bold red")))
        else:
            self._console.print(reason, soft_wrap=True, markup=False)


def live_view(snapshot: RunSnapshot, width: int, height: int) -> RenderableType:
    """Return a snapshot of a run for a screen of `width` columns and `height` lines."""
    counts, labels = snapshot.counts, labels_of(snapshot.counts)
    if len(labels) > max(height - OTHER_LINES, 3):
        counts = merge_labels(counts, f"all {len(labels)} labels")
    return Group(
        render(counts, snapshot.run_id, snapshot.age_s, width, snapshot.share),
        _rates(snapshot),
        *(_held_step(held) for held in snapshot.held_steps),
        *(_failure(failure) for failure in snapshot.failures),
    )


def render(
    now: RunOverview, run_id: int, elapsed_s: float, width: int = WIDE, share: float | None = None
) -> RenderableType:
    """Return the counts as a table, below a progress bar."""
    head = Text(f"run {run_id}  {format_duration(elapsed_s)}  ")
    head.append(f"{now.batches_done}/{now.batches} batches done", style="bold")
    if now.batches_cancelled:
        head.append(f", {now.batches_cancelled} cancelled")
    done = now.batches_done / max(now.batches, 1) if share is None else share
    bar = ProgressBar(total=1.0, completed=done, width=60)
    tables = [_steps_table(now, whole=True)] if width >= WIDE else _narrow_tables(now)
    return Group(head, Padding(bar, expand=False), *tables, *_trouble(now))


def summarize(now: RunOverview) -> str:
    """Return the counts in one line, for logs."""
    made = sum(now.made.values())
    waits = f"; waiting: {now.waits_for.splitlines()[0]}" if now.waits_for else ""
    reached = sum(not quota.missing for quota in now.quotas)
    quotas = f"; quotas {reached}/{len(now.quotas)}" if now.quotas else ""
    return (
        f"{now.batches_done}/{now.batches} batches; {made} candidates, "
        f"{sum(now.accepted.values())} accepted, {sum(now.rejected.values())} rejected"
        f"{quotas}{waits}"
    )


def format_duration(seconds: float | None) -> str:
    """Return a duration in words; a dash if it is unknown."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def format_worker(owner: str) -> str:
    """Return a worker's name without its pid namespace, e.g. "all@box 1234"."""
    place, _, pids = owner.rpartition("#")
    host, _, namespace = place.rpartition(".")
    return f"{host if namespace.isdecimal() and host else place} {pids.rpartition('/')[2]}"


def _rates(snapshot: RunSnapshot) -> Text:
    left = format_duration(snapshot.eta_s)
    rates = (snapshot.images_per_min, snapshot.accepted_per_min)
    made, accepted = (UNKNOWN if rate is None else f"{rate:.1f}" for rate in rates)
    given_up = f", {snapshot.quarantined} given up" if snapshot.quarantined else ""
    line = f"{snapshot.state}; about {left} left; {made} images per minute, {accepted} accepted"
    return Text(line + given_up, style="bold")


def _held_step(held: HeldStep) -> Text:
    text = Text(f"{format_worker(held.worker)}  ", style="dim")
    place = f"{held.step} · {held.label} · batch {held.batch} · round {held.round}"
    text.append(f"{place}  {held.done}/{held.total}  {format_duration(held.since_s)}", "not dim")
    return text


def _failure(failure: LatestFailure) -> Text:
    what = "given up" if failure.is_final else "failed, will be retried"
    place = f"{failure.step} · {failure.label} · batch {failure.batch}"
    line = Text(f"{what}: {place}: {failure.error}", style="red" if failure.is_final else "yellow")
    line.truncate(200, overflow="ellipsis")
    return line


def _trouble(now: RunOverview) -> list[Text]:
    if not now.waits_for:
        return []
    return [Text(f"waiting; continues automatically: {now.waits_for.splitlines()[0]}", style="red")]


def _steps_table(now: RunOverview, *, whole: bool) -> Table:
    """Return the counts of each step per label; `whole` adds the results."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label", overflow="ellipsis", no_wrap=True, max_width=24)
    for name in QUEUES:
        table.add_column(name, justify="right")
    if whole:
        _add_outcome_columns(table)
    cells = {(count.label, count.step): count for count in now.steps}
    for label in labels_of(now):
        steps = (_cell(cells.get((label, name))) for name in QUEUES)
        table.add_row(Text(label), *steps, *(_outcome(now, label) if whole else ()))
    return table


def _narrow_tables(now: RunOverview) -> list[Table]:
    """Return a table of results per label, and one of the steps over all labels."""
    outcome = Table(box=None, pad_edge=False, header_style="dim")
    outcome.add_column("label", overflow="ellipsis", no_wrap=True, max_width=24)
    _add_outcome_columns(outcome)
    for label in labels_of(now):
        outcome.add_row(Text(label), *_outcome(now, label))
    steps = Table(box=None, pad_edge=False, show_header=False)
    counts = {count.step: count for count in merge_labels(now, "all").steps}
    for name in QUEUES:
        steps.add_row(Text(name, style="dim"), _cell(counts.get(name)))
    return [outcome, steps]


def _add_outcome_columns(table: Table) -> None:
    table.add_column("accepted", justify="right", style="green")
    table.add_column("share", justify="right")
    table.add_column("rejected", style="yellow", overflow="ellipsis", no_wrap=True)


def _outcome(now: RunOverview, label: str) -> tuple[str, str, str]:
    share = acceptance_of(now, label)
    shown = UNKNOWN if share is None else f"{share:.0%}"
    return format_accepted(now, label), shown, format_reasons(now, label)


def _cell(count: StepCount | None) -> Text:
    """Return "done/all", coloured if items are running or were given up."""
    if count is None:
        return Text("·", style="dim")
    total = count.waiting + count.running + count.done + count.quarantined
    text = Text(f"{count.done}/{total}", style="bold cyan" if count.running else "")
    if count.quarantined:
        text.append(f" !{count.quarantined}", style="red")
    return text
