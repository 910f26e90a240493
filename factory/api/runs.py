"""Runs from Python: `submit`, `run`, `annotate` and `watch` do the same as the commands."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.factory.api.places import (
    PLACE_KEYS,
    Places,
    at,
    places_of,
    settings_at,
    store_at,
)
from chatgenimage.factory.api.preparing import (
    ChainChoice,
    painted_px,
    picture_chain,
    picture_roles,
    prepare_run,
    read_picture_classes,
    read_request,
    refuse_unknown_phrases,
)
from chatgenimage.factory.api.results import RunResult
from chatgenimage.factory.commands import PlaceChoice
from chatgenimage.factory.database import open_database
from chatgenimage.factory.local_run import plan_for_run, submit_labels, working_off
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot
from chatgenimage.factory.progress.watch import watch as follow
from chatgenimage.factory.settings.arguments import (
    Id,
    Money,
    Paths,
    Place,
    Seconds,
    Seed,
    Texts,
    Tokens,
    WorkerCount,
    checked,
    several,
)
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.budgets import SpendingLimits, refuse_without_prices
from chatgenimage.factory.submission.image_import import ImportResult, import_pictures
from chatgenimage.factory.submission.label_check import refuse_unreadable
from chatgenimage.factory.submission.label_files import NO_PLACES
from chatgenimage.factory.submission.labels import LabelList
from chatgenimage.factory.submission.submitter import Submission
from chatgenimage.factory.submission.unused_names import list_unused_names
from chatgenimage.factory.terminal.run_summary import draw_contact_sheet


class RunKeywords(ChainChoice, Places, total=False):
    """Keywords of `submit` and `run`: those of `ChainChoice` and `Places`."""


@checked
def submit(
    labels: Texts = (),
    *,
    files: Paths = (),
    seed: Seed | None = None,
    budget: Money | None = None,
    budget_tokens: Tokens | None = None,
    **options: Unpack[RunKeywords],
) -> Submission:
    """Write the rows of a run, for workers that run elsewhere; see `factory submit`.

    Args:
        labels: One label or several.
        files: Files of labels: text (one per line), .csv or .jsonl.
        seed: The same seed gives the same dataset; None: other images at each call.
        budget: Most that the language model may cost, in the profile's currency.
        budget_tokens: Most tokens that it may send and receive.
        options: See `ChainChoice` and `Places`.

    Returns:
        The number of the run, and what is to be made. The same call finds an unfinished run.

    Raises:
        BadLabels: If a label or a file of labels cannot be used; nothing is written.
        SettingsError: If a keyword has a wrong value.
        BudgetSpent: If the unfinished run has spent its budget.
    """
    with at(places_of(options)) as place:
        settings = settings_at(place, chain=_chain(options))
        settings, wanted = read_request(settings, several(labels), several(files))
        limits = SpendingLimits(budget, budget_tokens)
        refuse_without_prices(settings, limits)
        refuse_unreadable(settings, wanted.labels, wanted.places)
        for warning in list_unused_names(settings.chain, wanted.labels):
            warnings.warn(warning, stacklevel=2)
        return _submit(settings, wanted, seed, limits)


@checked
def run(  # noqa: PLR0913  # keywords
    labels: Texts = (),
    *,
    files: Paths = (),
    seed: Seed | None = None,
    budget: Money | None = None,
    budget_tokens: Tokens | None = None,
    workers: WorkerCount | None = None,
    show: bool = True,
    **options: Unpack[RunKeywords],
) -> RunResult:
    """Submit labels, work on them in processes on this machine, and return the results.

    Ctrl-C, or the stop button of a notebook, stops the processes and loses nothing: the same call
    continues.

    Args:
        labels: As for `submit`.
        files: As for `submit`.
        seed: As for `submit`.
        budget: As for `submit`.
        budget_tokens: As for `submit`.
        workers: Number of worker processes; None: as many as the machine can run.
        show: Whether to show the progress, on a terminal or below the cell.
        options: See `ChainChoice` and `Places`.

    Raises:
        BadLabels: If a label or a file of labels cannot be used; nothing is written.
        SettingsError: If a keyword has a wrong value.
        CheckpointNotFound: If a model is missing and cannot be downloaded.
        NotReady: With everything that is missing on this machine.
        WorkerDied: If every process ended before its work.
        BudgetSpent: If the language model has cost what it may; the run is paused.
        RunPaused: If a server refuses the key, or has no credit left; the run is paused.
        NothingSucceeds: If all of the first items were given up for the same reason.
    """
    with at(places_of(options)) as place:
        settings = settings_at(place, chain=_chain(options))
        settings, wanted = read_request(settings, several(labels), several(files))
        limits = SpendingLimits(budget, budget_tokens)
        refuse_without_prices(settings, limits)
        _prepare(settings, wanted.labels, places=wanted.places)
        run_id = _submit(settings, wanted, seed, limits).run_id
        return _work_off(settings, place, run_id, workers, show=show)


@checked
def annotate(  # noqa: PLR0913  # keywords
    folder: Place,
    labels: Texts | None = None,
    *,
    labels_files: Paths = (),
    vary: bool = False,
    longest_side: int | None = None,
    workers: WorkerCount | None = None,
    show: bool = True,
    **places: Unpack[Places],
) -> RunResult:
    """Label and filter your own pictures; see `factory annotate`.

    Args:
        folder: Folder of PNG, JPEG, WebP, HEIC files; also subfolders.
        labels: Labels to look for; "PHRASE=NAME" looks for a phrase. None: the nouns of each
            caption.
        labels_files: Files with labels to look for.
        vary: Also edit and fill the accepted pictures.
        longest_side: Larger pictures are scaled down to this number of pixels.
        workers: As for `run`.
        show: As for `run`.
        places: See `Places`.

    Raises:
        BadLabels: If a label cannot be used.
        NothingFound: If no picture can be used.
        ImportRuns: If another process is importing the same folder.
        WorkerDied: If every process ended before its work.
    """
    with at(places) as place:
        words = None if labels is None else several(labels)
        classes = read_picture_classes(words, [Path(file) for file in several(labels_files)])
        if vary and longest_side is None:
            longest_side = painted_px(settings_at(place))
        settings = settings_at(place, chain=picture_chain(classes, longest_side, vary=vary))
        names, roles = settings.chain.class_list, picture_roles(settings)
        _prepare(settings, names, roles, refuse_unknown_phrases(settings, classes))
        done = import_pictures(open_database(settings), settings, Path(folder))
        return _work_off(settings, place, done.run_id, workers, show=show, roles=roles, read=done)


@checked
def watch(
    run: Id | None = None,
    *,
    interval_s: Seconds = 2.0,
    wait: bool = True,
    show: bool = True,
    **places: Unpack[Places],
) -> RunSnapshot:
    """Show the progress of a run until it is over, from any machine that reaches its database.

    Args:
        run: Its number; None: the latest.
        interval_s: Seconds between two looks.
        wait: False: look once and return.
        show: Whether to show the progress; never without `wait`.
        places: See `Places`.

    Returns:
        The last snapshot.

    Raises:
        NoDatabase: If there is no database.
        RowNotFound: If there is no such run.
    """
    with at(places) as place, store_at(place) as store:
        with reading(store.sessions) as session:
            run_id = get_run(session, run).id
        if not wait:
            return RunMonitor(store.sessions, run_id).look()
        return follow(store.sessions, run_id, interval_s, is_shown=show)


def _chain(options: RunKeywords) -> dict[str, object]:
    return {key: value for key, value in options.items() if key not in PLACE_KEYS}


def _prepare(
    settings: Settings,
    labels: Sequence[str],
    roles: Sequence[str] = (),
    places: Mapping[str, str] = NO_PLACES,
) -> None:
    for warning in prepare_run(settings, labels, roles, places):
        warnings.warn(warning, stacklevel=3)


def _submit(
    settings: Settings, wanted: LabelList, seed: int | None, limits: SpendingLimits
) -> Submission:
    done = submit_labels(settings, wanted.requests, seed=seed, limits=limits)
    return replace(done, dropped=wanted.dropped)


def _work_off(  # noqa: PLR0913  # parts of a call
    settings: Settings,
    place: PlaceChoice,
    run_id: int,
    workers: int | None,
    *,
    show: bool,
    roles: Sequence[str] = (),
    read: ImportResult | None = None,
) -> RunResult:
    """Run workers until the run ends; return its result with the contact sheet."""
    plan = plan_for_run(settings, run_id, workers, roles)
    with working_off(settings, place.profile, run_id, plan, is_shown=show):
        sheet = draw_contact_sheet(settings, run_id, warnings.warn)
    return RunResult.of(store_at(place), run_id, sheet, read)
