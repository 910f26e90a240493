"""`factory models list`, `pull` and `check`: list, download and test a profile's models."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatgenimage.factory.cli.common import (
    CONTINUES,
    AsJson,
    DataDir,
    expected_errors,
    print_json,
    stderr,
    stdout,
)
from chatgenimage.factory.commands import PlaceChoice, use_places
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.terminal.models_view import (
    condition_lines,
    licence_lines,
    memory_in_words,
    model_lines,
    models_table,
    times_in_words,
    trial_in_words,
    unpinned_line,
)

if TYPE_CHECKING:
    from chatgenimage.factory.settings.model import Settings

Profile = Annotated[
    str | None,
    typer.Argument(help="Name of a profile in configs/, or a path.", show_default="micro"),
]
WIDE = 150
"""Columns that the table needs; a narrower screen gets two lines per model."""


@expected_errors()
def list_(profile: Profile = None, as_json: AsJson = False) -> None:
    """List the models of a profile: checkpoints, licences, sizes, and whether they are here.

    Sizes and licences are as stated by the publishers. The size on the device is of the weights
    alone. The last line adds one image, calculated; `factory models check` measures it.

    Example: factory models list sd15
    """
    from chatgenimage.factory.checkpoints.inventory import list_needs

    needs = list_needs(load_settings(profile))
    if as_json:
        print_json([asdict(need) for need in needs])
        return
    if stdout.width >= WIDE:
        stdout.print(models_table(needs))
    else:
        for need in needs:
            stdout.print(model_lines(need), soft_wrap=True)
    for line in [*condition_lines(needs), *unpinned_line(needs), memory_in_words(needs)]:
        if line:
            stdout.print(line, soft_wrap=True)


@expected_errors("the times of models that were printed are kept. The same command starts again.")
def check(
    profile: Profile = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Check only this model; may be repeated.", show_default="every model"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, mps, cuda or e.g. cuda:1.", show_default="the profile's"),
    ] = None,
    batch_sizes: Annotated[
        bool,
        typer.Option(
            "--batch-sizes",
            help="Instead, run passes of 1, 2, 4, ... items and name the best chain.batch_size.",
        ),
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(help="With --batch-sizes: write a copy of the profile with the best one."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Load each model, run one item through it, and print seconds and peak memory.

    The times are kept in the data folder: `factory plan` uses them until a run measured more.
    Each model runs in its own process. A model on a server gets one request for each thing that it
    can do, which may cost money. Exit code 1 if a model fails. With --batch-sizes, several models
    of one role need their memory together; a pass that does not fit is halved when it happens.

    Example: factory models check sd15 --only detection
    """
    use_places(PlaceChoice(profile=profile))
    settings = load_settings(profile, device=device, data_dir=data_dir)
    if batch_sizes:
        check_batch_sizes(settings, profile or settings.profile, only or (), write, as_json=as_json)
    elif write is not None:
        raise typer.BadParameter("--write needs --batch-sizes: there is nothing else to write.")
    else:
        check_models(settings, only or (), as_json=as_json)


def check_models(settings: "Settings", only: Sequence[str], *, as_json: bool) -> None:
    """Print what one item took on each model; end with exit code 1 if a model failed."""
    from chatgenimage.factory.checkpoints.trial_times import try_and_remember

    rows: list[dict[str, object]] = []
    for key, outcome in try_and_remember(settings, only):
        facts = {"problem": outcome} if isinstance(outcome, str) else asdict(outcome)
        rows.append({"model": key, **facts})
        if not as_json:
            stdout.print(f"{key:<14}", trial_in_words(outcome), soft_wrap=True)
    if as_json:
        print_json(rows)
    if any("problem" in row for row in rows):
        raise typer.Exit(1)


def check_batch_sizes(
    settings: "Settings", profile: str, only: Sequence[str], write: Path | None, *, as_json: bool
) -> None:
    """Print the speed of each model by size of its passes, and the best size; write it."""
    from chatgenimage.factory.checkpoints.batch_sizes import (
        choose_batch_size,
        time_models,
        write_batch_size,
    )

    times, problems = {}, {}
    for key, outcome in time_models(settings, only):
        if isinstance(outcome, str):
            problems[key] = outcome
        else:
            times[key] = outcome
        if not as_json:
            stdout.print(f"{key:<14}", times_in_words(outcome), soft_wrap=True)
    best = choose_batch_size(times) if times and not problems else None
    if as_json:
        rows = {
            key: [asdict(time) | {"images_per_s": time.images_per_s} for time in some]
            for key, some in times.items()
        }
        print_json({"models": rows, "problems": problems, "best_batch_size": best})
    if best is None:
        raise typer.Exit(1)
    if not as_json:
        stdout.print(f"Best chain.batch_size: {best}")
    if write is not None:
        write_batch_size(profile, best, write)
        stderr.print(f"Written: {write}; use it with --profile {write}", soft_wrap=True)


@expected_errors(CONTINUES)
def pull(
    profile: Profile = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            help="Write a copy of the profile to this file, with the downloaded commits pinned."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download all checkpoints of a profile, from the hub or from their publishers.

    The licences are printed first. Only the files that are needed, and no pickles. After an
    interruption the same command continues; complete files are kept.

    Example: factory models pull sd15 --lock sd15-pinned.yaml
    """
    from huggingface_hub.utils.logging import set_verbosity

    from chatgenimage.factory.checkpoints.inventory import list_needs, write_lock
    from chatgenimage.factory.checkpoints.inventory import pull as pull_all

    use_places(PlaceChoice(profile=profile))
    settings = load_settings(profile)
    set_verbosity(logging.ERROR)  # each retry would be a line
    for licence in () if as_json else licence_lines(list_needs(settings)):
        stdout.print(licence, soft_wrap=True)
    pulled = []
    for one in pull_all(settings):
        pulled.append(one)
        if not as_json:
            line = f"{one.model:<14} {one.checkpoint} {one.commit or ''} {one.path}"
            stdout.print(line, soft_wrap=True)
    if lock is not None:
        write_lock(profile or settings.profile, pulled, lock)
        stderr.print(f"Written: {lock}; use it with --profile {lock}", soft_wrap=True)
    if as_json:
        print_json([asdict(one) for one in pulled])
