"""`factory annotate`: label and filter the user's own pictures with the same models."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.cli.common import (
    CONTINUES,
    WORKERS_AUTO,
    AsJson,
    StoreOptions,
    Workers,
    end_stopped,
    expected_errors,
    parse_workers,
    stderr,
    takes,
)
from chatgenimage.factory.cli.run import finish_here, prepare_here
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.image_import import ImportResult, Outcome, import_pictures
from chatgenimage.factory.submission.image_reader import printable_name
from chatgenimage.factory.wording import counted

SHOWN_REFUSED = 20
SHOWN_KINDS = 8

Folder = Annotated[
    Path, typer.Argument(help="Folder of PNG, JPEG, WebP, HEIC files; also subfolders.")
]
LabelNames = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="NAME,...",
        help="Labels to look for, e.g. dog,house; PHRASE=NAME looks for a phrase.",
        show_default="the nouns of each caption",
    ),
]
LabelsFiles = Annotated[
    list[Path] | None,
    typer.Option("--labels-file", help="Labels to look for: text (one per line), .csv or .jsonl."),
]
Vary = Annotated[bool, typer.Option("--vary", help="Also edit and fill the accepted pictures.")]
LongestSide = Annotated[
    int | None,
    typer.Option(
        min=16,
        max=16384,
        help="Scale larger pictures down to this number of pixels.",
        show_default="1333; with --vary the size of the profile's images",
    ),
]


@expected_errors(CONTINUES)
@takes(place=StoreOptions)
def annotate(
    *,
    folder: Folder,
    labels: LabelNames = None,
    labels_file: LabelsFiles = None,
    vary: Vary = False,
    longest_side: LongestSide = None,
    workers: Workers = WORKERS_AUTO,
    place: StoreOptions,
    as_json: AsJson = False,
) -> None:
    """Label and filter your own pictures: captions, boxes, masks, scores, verdicts.

    Ctrl-C stops cleanly; the same command continues. Your files are not changed: upright PNG copies
    are stored.

    Example: factory annotate holiday --labels "dog,striped shirt=referee"
    """
    wanted_workers = parse_workers(workers)
    from chatgenimage.factory.api import preparing

    if vary and longest_side is None:
        longest_side = preparing.painted_px(place.load_settings())
    words = None if labels is None else labels.split(",")
    classes = preparing.read_picture_classes(words, labels_file or [])
    settings = place.load_settings(chain=preparing.picture_chain(classes, longest_side, vary=vary))
    wanted, roles = settings.chain.class_list, preparing.picture_roles(settings)
    places = preparing.refuse_unknown_phrases(settings, classes)
    prepare_here(settings, wanted, roles, places)
    done = _read(settings, folder)
    if not as_json:
        _print_import(done)
    if settings.chain.domains:
        stderr.print("Not used: chain.domains of the profile; pictures have no domain.")
    more = {"pictures": asdict(done)}
    finish_here(
        settings, done.run_id, place, wanted_workers, as_json=as_json, more=more, roles=roles
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(annotate)


def _read(settings: Settings, folder: Path) -> ImportResult:
    """Write a run for the pictures; Ctrl-C ends the command and says how to continue."""
    from chatgenimage.factory.database import open_database

    try:
        return import_pictures(open_database(settings), settings, folder, _watched)
    except KeyboardInterrupt:
        end_stopped("pictures read so far are kept. The same command continues.")


def _watched(outcomes: Iterator[Outcome], total: int) -> Iterable[Outcome]:
    return track(
        outcomes,
        "Reading pictures",
        total=total,
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )


def _print_import(done: ImportResult) -> None:
    """Print how many files were imported, and tables of those with a problem."""
    parts = [f"Run {done.run_id}: {done.added + done.known} of {done.found} pictures"]
    if done.known:
        parts.append(f"{done.known} of them already imported")
    if done.ignored:
        others = counted(sum(done.ignored.values()), "other file")
        parts.append(f"{others} ignored ({_some(done.ignored)})")
    if done.skipped:
        own = counted(sum(done.skipped.values()), "image")
        parts.append(f"{own} of the factory skipped ({_some(done.skipped)})")
    stderr.print("; ".join(parts), soft_wrap=True)
    _print_names("Left out", "reason", [(one.name, one.reason) for one in done.refused])
    _print_names("Read with a remark", "remark", [(one.name, one.remark) for one in done.remarks])


def _some(counts: Mapping[str, int]) -> str:
    return ", ".join(printable_name(kind) for kind in list(counts)[:SHOWN_KINDS])


def _print_names(title: str, column: str, rows: Sequence[tuple[str, str]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, header_style="dim")
    table.add_column("picture", overflow="fold")
    table.add_column(column, style="yellow")
    for name, text in rows[:SHOWN_REFUSED]:
        table.add_row(Text(name), Text(text))
    stderr.print(table)
    if len(rows) > SHOWN_REFUSED:
        stderr.print(f"and {len(rows) - SHOWN_REFUSED} more; --json lists all")
