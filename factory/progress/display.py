"""Displays of a run's progress: on a terminal, in a notebook, or none."""

import io
from typing import Any, Protocol, Self

from rich.console import RenderableType

from chatgenimage.db.session import Sessions
from chatgenimage.factory.foreign_text import SafeConsole
from chatgenimage.factory.progress.live_view import LiveProgress, live_view, summarize
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot

PAGE_COLUMNS = 120
PAGE_LINES = 50
PAGE = '<pre style="line-height:1.2;white-space:pre;overflow-x:auto">{code}</pre>'


class RunDisplay(Protocol):
    """Shows a run while it is followed; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show it."""
        ...

    def __exit__(self, *_: object) -> None:
        """End."""
        ...

    def refresh(self) -> RunSnapshot:
        """Read the database, show the run, and return the snapshot."""
        ...

    def note(self, message: str) -> None:
        """Show a line that stays."""
        ...

    def show_outage(self, reason: str) -> None:
        """Show why the last snapshot is not updated."""
        ...


def open_display(
    sessions: Sessions, run_id: int, *, is_shown: bool = True, starts_workers: bool = False
) -> RunDisplay:
    """Return the display that fits where the program runs.

    Args:
        sessions: To read the run with.
        run_id: Which run.
        is_shown: False: nothing is shown.
        starts_workers: Whether this program starts the run's workers itself.
    """
    if not is_shown:
        return NoDisplay(sessions, run_id)
    display = NotebookProgress if in_notebook() else LiveProgress
    return display(sessions, run_id, starts_workers=starts_workers)


def in_notebook() -> bool:
    """Return whether the program runs in the kernel of a notebook."""
    return SafeConsole().is_jupyter


def to_html(renderable: RenderableType) -> str:
    """Return what a terminal would show as HTML; all text in it is escaped."""
    console = SafeConsole(
        record=True,
        file=io.StringIO(),
        width=PAGE_COLUMNS,
        force_jupyter=False,
        force_terminal=True,
        color_system="standard",
        highlight=False,
    )
    console.print(renderable)
    return console.export_html(inline_styles=True, code_format=PAGE)


class NoDisplay:
    """Reads a run and shows nothing."""

    most_labels = 0
    """Labels that are read for the view."""

    def __init__(self, sessions: Sessions, run_id: int, *, starts_workers: bool = False) -> None:
        self._monitor = RunMonitor(sessions, run_id, starts_workers=starts_workers)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def refresh(self) -> RunSnapshot:
        """Read the database and return the snapshot."""
        return self._monitor.look(self.most_labels)

    def note(self, message: str) -> None:
        """Show nothing."""

    def show_outage(self, reason: str) -> None:
        """Show nothing."""


class NotebookProgress(NoDisplay):
    """Draws a run below the cell of a notebook, in place; its last state stays as one line."""

    most_labels = PAGE_LINES

    def __init__(self, sessions: Sessions, run_id: int, *, starts_workers: bool = False) -> None:
        super().__init__(sessions, run_id, starts_workers=starts_workers)
        self._run_id = run_id
        self._area: Any = None
        self._notes: list[str] = []
        self._view: RenderableType = ""
        self._last_line = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        from IPython.display import HTML, display

        self._area = display(HTML(""), display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave one line."""
        self._view = f"run {self._run_id}: {self._last_line}"
        self._draw()

    def refresh(self) -> RunSnapshot:
        """Read the database and draw; return the snapshot."""
        snapshot = super().refresh()
        self._view = live_view(snapshot, PAGE_COLUMNS, PAGE_LINES)
        self._last_line = summarize(snapshot.counts)
        self._draw()
        return snapshot

    def note(self, message: str) -> None:
        """Show a line above the view that stays."""
        self._notes.append(message)
        self._draw()

    def show_outage(self, reason: str) -> None:
        """Show below the last snapshot why it is not updated."""
        self._draw(reason)

    def _draw(self, *below: str) -> None:
        from IPython.display import HTML
        from rich.console import Group
        from rich.text import Text

        notes = [Text(line) for line in (*self._notes, *below)]
        self._area.update(HTML(to_html(Group(*notes, self._view))))
