"""`factory run` and `factory submit`: label words become rows, and a finished dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import typer

from chatgenimage.factory.cli.common import (
    WORKERS_AUTO,
    AsJson,
    StoreOptions,
    Workers,
    choose_limits,
    end_stopped,
    expected_errors,
    parse_workers,
    print_json,
    refuse_unused,
    stderr,
    takes,
    warn_of_unused_names,
)
from chatgenimage.factory.commands import spell
from chatgenimage.factory.settings.arguments import MAX_INTEGER
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.budgets import SpendingLimits, refuse_without_prices
from chatgenimage.factory.submission.label_files import COLUMNS
from chatgenimage.factory.submission.labels import LabelList
from chatgenimage.factory.submission.submitter import Submission
from chatgenimage.factory.wording import counted

SHOWN_DROPPED = 10
KEYS = f"with the columns {', '.join(COLUMNS)}; all but `label` may be left out (docs/labels.md)"
Labels = Annotated[
    list[str] | None,
    typer.Argument(help="Label words, e.g. dog house; - reads stdin.", show_default=False),
]
LabelFiles = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", help=f"Labels: text (one per line), .csv, .tsv or .jsonl {KEYS}."),
]
PerLabel = Annotated[
    int | None, typer.Option(help="Images generated per label; with --accepted, at first.")
]
Accepted = Annotated[
    int | None,
    typer.Option(help="Generate more images of a label until so many are accepted."),
]
MaxImages = Annotated[
    int | None,
    typer.Option(
        help="Most images generated per label for --accepted.",
        show_default="20 times as many as are to be accepted",
    ),
]
Domains = Annotated[
    str | None,
    typer.Option(
        help='Conditions or places, separated by commas, e.g. "at night,in fog": the images of '
        "each label are divided evenly among them.",
        show_default=False,
    ),
]
Mode = Annotated[
    Literal["scene", "object"] | None, typer.Option(help="Complex scenes or object-centric images.")
]
Rounds = Annotated[int | None, typer.Option(help="Rounds of edit and fill.")]
SearchFor = Annotated[
    Literal["label", "run"] | None,
    typer.Option(
        help="Look on each image for its own label, or for all labels of the run (docs/labels.md).",
        show_default="label",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_INTEGER,
        help="The same seed gives the same dataset, up to rounding in the models.",
    ),
]


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """The options that say which labels are asked for; for `takes`."""

    labels: Labels = None
    files: LabelFiles = None
    seed: Seed = None

    def read_labels(self, settings: Settings) -> tuple[Settings, LabelList]:
        """Return the labels, checked before anything is written, and the settings with their words.

        Raises:
            BadLabels: If a label or a file of labels cannot be used.
        """
        return read_wanted(settings, self.labels or [], self.files or [])

    def submit(
        self,
        settings: Settings,
        wanted: LabelList,
        limits: SpendingLimits,
        *,
        previews: bool = False,
    ) -> Submission:
        """Write a run for the labels, or find the unfinished one."""
        from chatgenimage.factory.local_run import submit_labels

        requests = wanted.requests
        return submit_labels(settings, requests, seed=self.seed, limits=limits, previews=previews)


def read_wanted(
    settings: Settings, labels: Sequence[str], files: Sequence[Path]
) -> tuple[Settings, LabelList]:
    """Return the settings with the words of the labels, and the labels, checked against them.

    Raises:
        BadLabels: If a label or a file of labels cannot be used.
    """
    from chatgenimage.factory.api.preparing import read_request

    return read_request(settings, labels, files)


def choose_chain(
    *,
    per_label: PerLabel = None,
    accepted: Accepted = None,
    max_images: MaxImages = None,
    domains: Domains = None,
    mode: Mode = None,
    rounds: Rounds = None,
    search_for: SearchFor = None,
) -> dict[str, Any]:
    """Return what of the profile's chain is chosen on the command line; None leaves it alone."""
    return {
        "per_label": per_label,
        "accepted": accepted,
        "max_images": max_images,
        "domains": domains,
        "mode": mode,
        "rounds": rounds,
        "search_for": search_for,
    }


@expected_errors("nothing is lost. If the run was submitted, `factory resume` continues it.")
@takes(request=RequestOptions, limits=choose_limits, chain=choose_chain, place=StoreOptions)
def run(
    *,
    request: RequestOptions,
    limits: SpendingLimits,
    chain: dict[str, Any],
    workers: Workers = WORKERS_AUTO,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Make one image of each label, without edits and fills, show them, and ask before "
            "the rest.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --preview: make the rest without asking.")
    ] = False,
    place: StoreOptions,
    as_json: AsJson = False,
) -> None:
    """Submit labels, process them on this machine, and show the results.

    Ctrl-C stops cleanly, and prints the command that continues from there.

    Example: factory run dog house --per-label 8; with a quota: factory run dog --accepted 50
    """
    wanted_workers = parse_workers(workers)
    if not preview:
        refuse_unused("without --preview, whose question it answers; leave it out", yes=yes)
    settings = place.load_settings(chain=chain)
    settings, wanted = request.read_labels(settings)
    refuse_without_prices(settings, limits)
    prepare_here(settings, wanted.labels, places=wanted.places)
    submission = request.submit(settings, wanted, limits, previews=preview)
    _print_submission(submission, wanted)
    if preview:
        from chatgenimage.factory.cli.preview import preview_here

        preview_here(settings, submission.run_id, place, wanted_workers, is_sure=yes)
    finish_here(settings, submission.run_id, place, wanted_workers, as_json=as_json)


@expected_errors("a run is submitted whole or not at all; `factory runs` lists it if it was.")
@takes(request=RequestOptions, limits=choose_limits, chain=choose_chain, place=StoreOptions)
def submit(
    *,
    request: RequestOptions,
    limits: SpendingLimits,
    chain: dict[str, Any],
    place: StoreOptions,
    as_json: AsJson = False,
) -> None:
    """Submit labels for workers that run elsewhere.

    Example: factory submit --file labels.csv && factory worker all
    """
    settings = place.load_settings(chain=chain)
    settings, wanted = request.read_labels(settings)
    refuse_without_prices(settings, limits)
    from chatgenimage.factory.submission.label_check import refuse_unreadable

    refuse_unreadable(settings, wanted.labels, wanted.places)
    warn_of_unused_names(settings, wanted.labels)
    submission = request.submit(settings, wanted, limits)
    if as_json:
        print_json({"run": submission.run_id, "resumed": submission.resumed})
    else:
        _print_submission(submission, wanted)
        work, look = spell("worker", "all"), spell("status", submission.run_id)
        stderr.print(f"Next: {work}; {look}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(submit)


def finish_here(
    settings: Settings,
    run_id: int,
    place: StoreOptions,
    workers: int | None,
    *,
    as_json: bool,
    roles: Sequence[str] = (),
    more: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Work a run off and show its results; Ctrl-C ends the command and prints how to continue.

    The command ends with exit code 1 if the run failed (see `has_failed`).

    Args:
        settings: Of the run.
        run_id: Its number.
        place: As the command was given it.
        workers: Number of processes; None: as many as the machine can run.
        as_json: Whether to show it as JSON.
        roles: Those that the run needs; none: all of the profile.
        more: Further keys of the JSON output.
    """
    from chatgenimage.factory.local_run import plan_for_run, working_off
    from chatgenimage.factory.terminal import run_summary

    try:
        plan = plan_for_run(settings, run_id, workers, roles)
        stderr.print(plan.describe())
        with working_off(settings, place.profile, run_id, plan):
            sheet = run_summary.draw_contact_sheet(settings, run_id, _warn)
    except KeyboardInterrupt:
        end_stopped(f"nothing is lost. Continue with: {spell('resume', run_id)}")
    if as_json:
        summary = run_summary.summary_json(settings, run_id, sheet)
        print_json({**summary, **more})
    else:
        summary = run_summary.show_summary(settings, run_id, sheet)
    if summary["failed"]:
        raise typer.Exit(1)


def _warn(text: str) -> None:
    stderr.print(text, style="yellow", soft_wrap=True)


def prepare_here(
    settings: Settings,
    labels: Sequence[str],
    roles: Sequence[str] = (),
    places: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Prepare this machine for a run; print warnings on stderr.

    Raises the same as `factory.api.preparing.prepare_run`.
    """
    from chatgenimage.factory.api.preparing import prepare_run

    for warning in prepare_run(settings, labels, roles, places):
        _warn(warning)


def _print_submission(submission: Submission, wanted: LabelList) -> None:
    if wanted.dropped:
        shown = ", ".join(dropped.label for dropped in wanted.dropped[:SHOWN_DROPPED])
        more = len(wanted.dropped) - SHOWN_DROPPED
        rest = f" and {more} more" if more > 0 else ""
        stderr.print(f"Dropped as duplicates: {shown}{rest}", soft_wrap=True)
    verb = "continues" if submission.resumed else "submitted"
    labels, images = counted(submission.labels, "label"), counted(submission.images, "image")
    stderr.print(f"Run {submission.run_id} {verb}: {labels}, {images}")
