"""Command line of the training folder: `python -m training all`, `evaluate` or `samples`.

Needs a clone of the repository: neither the folder nor its sprites are part of the package.
"""

import argparse
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from training import places

if TYPE_CHECKING:
    from training.evaluate import Row

STAGES = {
    "vae": 28.0,
    "latents": 4.0,
    "vae_decoder": 16.0,
    "stable_diffusion": 140.0,
    "diffused": 3.0,
    "instruct_pix2pix": 40.0,
    "grounding_dino": 60.0,
    "segment_anything": 15.0,
    "open_clip": 15.0,
    "blip2": 35.0,
    "judge": 8.0,
}
"""Minutes of each stage on one core, in the order in which `all` runs them."""
MOST_IMAGES = 2000


def main(words: Sequence[str] | None = None, sprites: Path = places.SPRITES) -> None:
    """Run the stages, the evaluation or the page of samples that the arguments name.

    Args:
        words: Arguments of the command line; None: those of this process.
        sprites: Folder of object pictures; without it nothing begins.
    """
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("all", *STAGES):
        stage = commands.add_parser(name, help=_help_of(name))
        stage.add_argument("--minutes", type=float, help="training time of the stage, in all")
        stage.add_argument("--threads", type=int, default=0, help="0: as many as cores")
        stage.set_defaults(run=train)
    measure = commands.add_parser(
        "evaluate", help="measure the checkpoints on held-out scenes; rewrites the model card"
    )
    measure.add_argument(
        "--images", type=_image_count, default=1000, help=f"of each measurement, 1 to {MOST_IMAGES}"
    )
    measure.add_argument("--only", action="append", help="this measurement alone; repeatable")
    measure.add_argument("--json", action="store_true", help="print JSON instead of a table")
    measure.set_defaults(run=evaluate)
    draw = commands.add_parser("samples", help="draw sample images; rewrites docs/micro-models.md")
    draw.set_defaults(run=samples)
    arguments = parser.parse_args(words)
    if not sprites.is_dir():
        parser.error(f"no sprites in {sprites}; fetch them with `make sprites`")
    arguments.run(arguments, parser)


def train(arguments: argparse.Namespace, _: argparse.ArgumentParser) -> None:
    """Run one stage, or all; each resumes where it stopped."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for stage in STAGES if arguments.command == "all" else [arguments.command]:
        module = importlib.import_module(f"training.{stage}")
        module.train(arguments.minutes or STAGES[stage])


def evaluate(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Measure the checkpoints and print what was reached."""
    from training import evaluate as evaluation

    names = arguments.only or list(evaluation.MEASURES)
    if unknown := [name for name in names if name not in evaluation.MEASURES]:
        parser.error(
            f"no measurement {unknown[0]!r}; choose from: {', '.join(evaluation.MEASURES)}"
        )
    with _progress() as watch:
        rows = evaluation.evaluate(names, arguments.images, watch)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(_to_table(rows))


def samples(_: argparse.Namespace, __: argparse.ArgumentParser) -> None:
    """Draw the page of samples and print where it is."""
    from training.samples import write_page

    print(write_page())


def _help_of(stage: str) -> str:
    if stage == "all":
        return f"every stage, {sum(STAGES.values()) / 60:.0f} hours on one core"
    return f"train this alone, {STAGES[stage]:.0f} minutes on one core"


def _image_count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST_IMAGES:
        raise argparse.ArgumentTypeError(f"{count} is not between 1 and {MOST_IMAGES}")
    return count


@contextmanager
def _progress() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Show a bar per measurement on stderr."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def watch(name: str, images: int) -> Callable[[int], None]:
            """Return a function that shows how many images are done."""
            task = progress.add_task(name, total=images)
            return lambda done: progress.advance(task, done)

        yield watch


def _to_table(rows: Sequence["Row"]) -> Table:
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


if __name__ == "__main__":
    main()
