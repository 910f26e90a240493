"""Terminal output of a measurement: a progress bar, and the table of arms."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.gain.cells import Cell
from chatgenimage.factory.gain.experiment import Trial
from chatgenimage.factory.gain.result import GainResult
from chatgenimage.factory.gain.verdict import (
    explain_controls,
    explain_origins,
    list_harmed,
    order_arms,
    points,
    state_gain,
)


class ProgressWatch:
    """Context manager that draws the progress of an experiment; not a terminal: plain lines."""

    def __init__(self, console: Console, trials: Sequence[Trial], steps: int) -> None:
        """Prepare the bar.

        Args:
            console: To draw on.
            trials: All trainings of the experiment.
            steps: Optimizer steps of each.
        """
        self._console = console
        self._count = len(trials)
        self._done = sum(trial.found is not None for trial in trials)
        self._steps = steps
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar: TaskID = self._progress.add_task(
            "training", total=self._count * steps, completed=self._done * steps
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the terminal."""
        self._progress.stop()

    @property
    def done(self) -> int:
        """Return how many trainings are finished."""
        return self._done

    def begin(self, trial: Trial) -> None:
        """Show which training begins."""
        title = f"{self._done + 1}/{self._count} {trial.arm.name}, seed {trial.seed}"
        self._progress.update(self._bar, description=title, completed=self._done * self._steps)

    def step(self) -> None:
        """Move the bar by a step."""
        self._progress.advance(self._bar)

    def end(self, cell: Cell) -> None:
        """Count a finished training."""
        self._done += 1
        if not self._console.is_terminal:
            line = f"{self._done}/{self._count} {cell.arm}, seed {cell.seed}: {cell.seconds:.1f} s"
            self._console.print(line, soft_wrap=True, markup=False)


def gain_view(result: GainResult) -> RenderableType:
    """Return the verdict, the table of arms, and what is known of origins and classes."""
    sentences = [*explain_origins(result), *explain_controls(result)]
    if harmed := list_harmed(result):
        names = ", ".join(f"{name} ({points(gain, signed=True)})" for name, gain in harmed)
        sentences.append(f"Classes that the synthetic images make worse: {names}.")
    parts: list[RenderableType] = [_table(result), *map(Text, sentences)]
    return Group(*parts, Text(state_gain(result), style="bold"))


def _table(result: GainResult) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("trained on")
    domains = [*result.domains] if len(result.domains) > 1 else []
    for title in ("images", "synthetic", result.metric, *(name or "others" for name in domains)):
        table.add_column(title, justify="right")
    for arm in order_arms(result):
        found = [result.interval(arm.name)]
        found += [result.interval(arm.name, domain=domain) for domain in domains]
        cells = ["-" if one is None else points(one) for one in found]
        table.add_row(Text(arm.name), str(arm.images), str(arm.synthetic), *cells)
    return table
