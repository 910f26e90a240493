"""`factory models`: what a profile needs, and the checkpoints that ship with the package."""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from chatgenimage.factory import log
from chatgenimage.factory.cli import checkpoints
from chatgenimage.factory.cli.common import AsJson, expected_errors, print_json, stderr, stdout
from chatgenimage.factory.errors import CannotMeasure, UnknownName
from chatgenimage.factory.settings.model import CONFIGS

app = typer.Typer(
    help="The models of a profile, and those that ship with the package.", no_args_is_help=True
)

CheckpointSet = Annotated[str, typer.Argument(help="Which set of checkpoints: micro.")]
MICRO = "micro"
Watch = Callable[[str, int], Callable[[int], None]]


@app.command()
@expected_errors()
def evaluate(
    checkpoints: CheckpointSet = MICRO,
    images: Annotated[
        int, typer.Option(min=1, max=2000, help="How many of each measurement.")
    ] = 1000,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Measure this alone, the rest is as it was.", show_default="everything"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure checkpoints on scenes that they never saw, and write the model card's table.

    Example: factory models evaluate micro --only fill --images 200
    """
    log.configure(level=logging.WARNING)
    evaluation = _training_module("evaluate", checkpoints)
    names = only or list(evaluation.MEASURES)
    if unknown := [name for name in names if name not in evaluation.MEASURES]:
        raise UnknownName(
            f"no measurement {unknown[0]!r}; choose from: {', '.join(evaluation.MEASURES)}."
        )
    with _progress() as watch:
        rows = evaluation.evaluate(names, images, watch)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        stdout.print(_to_table(rows))


@app.command()
@expected_errors()
def samples(checkpoints: CheckpointSet = MICRO) -> None:
    """Draw what checkpoints paint and see, and write the page of samples.

    Example: factory models samples micro
    """
    log.configure(level=logging.WARNING)
    stdout.print(str(_training_module("samples", checkpoints).write_page()), soft_wrap=True)


def register(root: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(checkpoints.list_)
    app.command("pull")(checkpoints.pull)
    app.command("check")(checkpoints.check)
    root.add_typer(app, name="models")


def _training_module(name: str, checkpoints: str) -> Any:  # noqa: ANN401  # a module
    """Return a module of the folder `training`, which only a clone has.

    Raises:
        UnknownName: If there are no such checkpoints.
        CannotMeasure: If this is no clone, or it has no sprites yet.
    """
    if checkpoints != MICRO:
        raise UnknownName(f"no checkpoints {checkpoints!r} that can be measured; there is: micro.")
    clone = CONFIGS.parent
    if not (clone / "training").is_dir():
        raise CannotMeasure(
            f"the world that measures the checkpoints is not in {clone}; "
            "clone the repository, then `make sprites` there and try again."
        )
    sys.path.append(str(clone))
    places = importlib.import_module("training.places")
    if not places.SPRITES.is_dir():
        raise CannotMeasure(f"no sprites in {places.SPRITES}; fetch them with `make sprites`.")
    return importlib.import_module(f"training.{name}")


@contextmanager
def _progress() -> Iterator[Watch]:
    """Show a bar per measurement on stderr."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr) as progress:

        def watch(name: str, images: int) -> Callable[[int], None]:
            task = progress.add_task(name, total=images)
            return lambda done: progress.advance(task, done)

        yield watch


def _to_table(rows: Sequence[Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("model", "measured"):
        table.add_column(name)
    for name in ("bar", "reached", "images"):
        table.add_column(name, justify="right")
    for row in rows:
        bar = "" if row.bar is None else f">= {row.bar:g}"
        style = "" if row.bar is None else "red" if row.is_missed else "green"
        reached = Text(f"{row.reached:.3g}", style=style)
        table.add_row(row.model, row.measurement, bar, reached, str(row.images))
    return table
