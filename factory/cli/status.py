"""`factory status`: progress of a run."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.label_progress import LabelOrder, count_reasons, list_label_progress
from chatgenimage.db.models import Run
from chatgenimage.db.runs import count_labels, get_run, list_quarantined
from chatgenimage.db.session import reading
from chatgenimage.db.states import RunState
from chatgenimage.db.waits import list_waits
from chatgenimage.factory.cli.common import (
    AsJson,
    RunOrLatest,
    expected_errors,
    open_chosen_store,
    print_json,
    refuse_unused,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.commands import spell
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.progress.worker_notices import list_notices
from chatgenimage.factory.query.json_records import run_record
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID
from chatgenimage.factory.settings.profiles import name_profile
from chatgenimage.factory.submission.label_files import STDIN


class LabelSort(StrEnum):
    """Orders of `--by-label`."""

    SUBMITTED = LabelOrder.SUBMITTED.value
    ACCEPTED = LabelOrder.ACCEPTED.value
    REJECTED = LabelOrder.REJECTED.value
    NAME = LabelOrder.NAME.value


ByLabel = Annotated[bool, typer.Option("--by-label", help="A line for each label.")]
Sort = Annotated[
    LabelSort | None,
    typer.Option(
        "--sort",
        help="Order of the labels: as submitted, least accepted of what was asked for, most "
        "rejected, or name.",
        show_default="submitted; with --short, accepted",
    ),
]
Short = Annotated[
    bool, typer.Option("--short", help="Only labels with fewer accepted than were asked for.")
]
CsvFile = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Write the short labels as a label file that asks for what is missing; "
        "-: to standard output.",
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, max=MAX_ID, help="Most labels.", show_default="all")
]


@expected_errors()
@takes(store=open_chosen_store)
def status(  # an argument is an option
    *,
    run: RunOrLatest = None,
    by_label: ByLabel = False,
    sort: Sort = None,
    short: Short = False,
    csv_file: CsvFile = None,
    limit: Limit = None,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Show a run's steps (waiting, running, done, given up) and its results so far.

    --sort, --short, --csv and --limit are for labels: each implies --by-label.

    Example: factory status 1 --short --csv short.csv && factory submit --file short.csv --seed 1
    """
    if csv_file is not None:
        refuse_unused(
            "with --csv, which writes every short label in the order of the submission",
            sort=sort is not None,
            limit=limit is not None,
            json=as_json,
        )
    with reading(store.sessions) as session:
        found = get_run(session, run, with_labels=False)
        if csv_file is not None:
            _write_csv(session, found, csv_file, store)
        elif by_label or short or sort is not None or limit is not None:
            order = LabelOrder(sort or (LabelSort.ACCEPTED if short else LabelSort.SUBMITTED))
            _show_labels(session, found, order, is_short=short, limit=limit, as_json=as_json)
        elif as_json:
            record = run_record(session, found, store.settings)
            print_json(record | {"notices": list_notices(session, found)})
        else:
            _show_run(session, found, store)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def _show_run(session: Session, run: Run, store: Store) -> None:
    from chatgenimage.factory.terminal.coverage_view import coverage_view
    from chatgenimage.factory.terminal.tables import quarantine_table, status_view, trouble_of

    stdout.print(status_view(session, run, now=now(session), width=stdout.width))
    for part in coverage_view(session, run.id):
        stdout.print(part)
    for notice in list_notices(session, run):
        stdout.print(notice, style="bold yellow", soft_wrap=True)
    for line in list_waits(session, run.id, 2 * store.settings.delivery.lease_s):
        stdout.print(f"Waits: {line}", style="yellow", soft_wrap=True, markup=False)
    for line in trouble_of(session, run):
        stdout.print(line, style="yellow", soft_wrap=True)
    if given_up := list_quarantined(session, run.id):
        stdout.print(quarantine_table(given_up))


def _show_labels(
    session: Session,
    run: Run,
    order: LabelOrder,
    *,
    is_short: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    labels = list_label_progress(session, run.id, order, is_short=is_short, limit=limit)
    reasons = count_reasons(session, run.id, [one.label_id for one in labels])
    if as_json:
        print_json(
            [
                asdict(one) | {"missing": one.missing, "reasons": reasons[one.label_id]}
                for one in labels
            ]
        )
        return
    from chatgenimage.factory.terminal.label_table import label_table

    stdout.print(label_table(labels, reasons))
    kind = "are short" if is_short else "shown"
    stderr.print(f"{len(labels)} of {count_labels(session, run.id)} labels {kind}")


def _write_csv(session: Session, run: Run, path: Path, store: Store) -> None:
    from chatgenimage.factory.atomic_write import write_file
    from chatgenimage.factory.query.short_labels import write_label_file

    short = list_label_progress(session, run.id, LabelOrder.ACCEPTED, is_short=True)
    text = write_label_file(session, run, short)
    labels = "1 label is" if len(short) == 1 else f"{len(short)} labels are"
    if str(path) != STDIN and path.suffix.lower() != ".csv":
        raise SettingsError(
            f"--csv {path}: expected a name that ends with .csv, by which `factory submit` "
            "recognizes a table, or - for standard output."
        )
    if run.state in (RunState.ACTIVE, RunState.PAUSED):
        stderr.print(
            f"Run {run.id} is {run.state}: the file also asks for what this run still makes. "
            f"Submit it after the run's end: `{spell('resume', run.id)}` continues it.",
            soft_wrap=True,
        )
    if str(path) == STDIN:
        typer.echo(text, nl=False)
        stderr.print(f"{labels} short")
        return
    write_file(path, text.encode(), data_dir=store.settings.data_dir)
    chain = run.profile["chain"]
    options = ["--seed", run.seed + 1, "--rounds", chain["rounds"]]
    if "search_for" in chain:  # else it is the usual one
        options += ["--search-for", chain["search_for"]]
    again = spell("submit", "--file", path, *options, *name_profile(run.profile["profile"]))
    stderr.print(f"{labels} short; {path} asks for what is missing. Next: {again}", soft_wrap=True)
