"""Live view of a run: counts of waiting, running, finished and given up items."""

import time
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from chatgenimage.db.run_activity import HeldStep, LatestFailure
from chatgenimage.db.run_progress import RunOverview
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import RunState
from chatgenimage.factory.foreign_text import SafeConsole
from chatgenimage.factory.progress.label_view import (
    UNKNOWN,
    WIDEST_LABEL,
    cut_lines,
    labels_table,
    more_labels_line,
    steps_lines,
)
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot

WIDE = 110
"""Width that a column for each step needs; a narrower screen has their sums below."""
OTHER_LINES = 2
"""Lines of a screen that stay free: the header of the labels, and the line of the cursor."""
LEAST_LABELS = 3


class LiveProgress:
    """Context manager that draws a run's progress on stderr; not a terminal: plain lines."""

    def __init__(self, sessions: Sessions, run_id: int, *, starts_workers: bool = False) -> None:
        self._monitor = RunMonitor(sessions, run_id, by_label=False, starts_workers=starts_workers)
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
        is_terminal = self._console.is_terminal
        snapshot = self._monitor.look(self._console.height if is_terminal else 0)
        if is_terminal:
            self._view = live_view(snapshot, *self._console.size)
            self._live.update(self._view)
        elif (line := "; ".join([summarize(snapshot.counts), *snapshot.notices])) != (
            self._last_line
        ):
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
    """Return a snapshot of a run for a screen of `width` columns and `height` lines.

    Every part has its lines; labels get those that are left. Labels without a line are counted.
    """
    above: list[RenderableType] = [
        _head(snapshot.counts, snapshot.run_id, snapshot.age_s),
        _bar(snapshot.counts, snapshot.share),
    ]
    below = [
        *steps_lines(snapshot.counts, width),
        _rates(snapshot),
        *cut_lines(
            [_held_step(held) for held in snapshot.held_steps], max(2, height // 6), "workers"
        ),
        *(_failure(one, snapshot.state) for one in snapshot.failures),
        *_trouble(snapshot.counts),
    ]
    for line in below:
        line.no_wrap, line.overflow = True, "ellipsis"
    notices = [Text(notice, style="bold yellow", overflow="fold") for notice in snapshot.notices]
    notice_lines = sum(-(-notice.cell_len // width) for notice in notices)
    rows = snapshot.rows
    if rows is None:
        return Group(*above, *below, *notices)
    taken = len(above) + len(below) + notice_lines + OTHER_LINES
    room = max(height - taken, LEAST_LABELS)
    shown = room if rows.total <= room else max(room - 1, 1)
    table = labels_table(rows, shown, with_steps=width >= WIDE)
    rest = more_labels_line(rows, shown)
    return Group(*above, table, *([rest] if rest else []), *below, *notices)


def render(now: RunOverview, run_id: int, elapsed_s: float, width: int = WIDE) -> RenderableType:
    """Return the counts of the steps over all labels, below a progress bar."""
    return Group(
        _head(now, run_id, elapsed_s), _bar(now, None), *steps_lines(now, width), *_trouble(now)
    )


def _head(now: RunOverview, run_id: int, elapsed_s: float) -> Text:
    head = Text(f"run {run_id}  {format_duration(elapsed_s)}  ")
    head.append(f"{now.batches_done}/{now.batches} batches done", style="bold")
    if now.batches_cancelled:
        head.append(f", {now.batches_cancelled} cancelled")
    made, accepted = sum(now.made.values()), sum(now.accepted.values())
    head.append(f"  {accepted} of {made} images accepted")
    return head


def _bar(now: RunOverview, share: float | None) -> Padding:
    done = now.batches_done / max(now.batches, 1) if share is None else share
    return Padding(ProgressBar(total=1.0, completed=done, width=60), expand=False)


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
    """Return the state; of an active run the time left and the rates as far as they are known."""
    parts = [snapshot.state]
    if snapshot.state == RunState.ACTIVE:
        left = snapshot.eta_s
        parts.append("time left not known yet" if left is None else f"{_about(left)} left")
    if snapshot.quarantined:
        parts.append(f"{snapshot.quarantined} given up")
    if snapshot.state == RunState.ACTIVE and snapshot.images_per_min is not None:
        accepted = "" if snapshot.accepted_per_min is None else f"{snapshot.accepted_per_min:.1f}"
        speed = f"{snapshot.images_per_min:.1f} images per minute"
        parts.append(f"{speed}, {accepted or UNKNOWN} accepted")
    return Text("; ".join(parts), style="bold")


def _about(seconds: float) -> str:
    return f"about {format_duration(seconds)}"


def _held_step(held: HeldStep) -> Text:
    """Return a worker and its step; a long label is cut, numbers are before it and stay."""
    text = Text(f"{format_worker(held.worker)}  ", style="dim")
    progress = f"{held.step} {held.done}/{held.total}  {format_duration(held.since_s)}"
    place = f"{held.label} · batch {held.batch} · round {held.round}"
    text.append(f"{progress}  {place}", "not dim")
    return text


def _failure(failure: LatestFailure, state: str) -> Text:
    again = "failed" if state == RunState.CANCELLED else "failed, will be retried"
    what = "given up" if failure.is_final else again
    label = Text(failure.label)
    label.truncate(WIDEST_LABEL, overflow="ellipsis")
    place = f"{failure.step} · {label.plain} · batch {failure.batch}"
    return Text(f"{what}: {place}: {failure.error}", style="red" if failure.is_final else "yellow")


def _trouble(now: RunOverview) -> list[Text]:
    if not now.waits_for:
        return []
    return [Text(f"waiting; continues automatically: {now.waits_for.splitlines()[0]}", style="red")]
