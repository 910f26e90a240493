"""Command line: one module per command; each parses, calls one function and prints."""

from typing import Annotated

import typer

from chatgenimage.factory.cli import (
    annotate,
    contact_sheet,
    control,
    dispatch,
    doctor,
    export,
    flower,
    gain,
    gallery,
    mark,
    metrics,
    models,
    plan,
    query,
    refilter,
    replay,
    report,
    resume,
    run,
    runs,
    show,
    status,
    thresholds,
    watch,
    worker,
)

PANELS = {
    "Make a dataset": (plan, run, annotate, resume, export),
    "Follow a run": (runs, status, watch, control),
    "Browse and review": (
        gallery,
        query,
        show,
        contact_sheet,
        report,
        mark,
        thresholds,
        refilter,
        replay,
    ),
    "Measure a dataset": (gain,),
    "Set up and operate": (doctor, models, worker, dispatch, flower, metrics),
}
"""Modules by their panel in `factory --help`."""

app = typer.Typer(name="factory", no_args_is_help=True, pretty_exceptions_enable=False)


def print_version(wanted: bool) -> None:  # noqa: FBT001  # typer's signature
    """Print the version and exit, if `--version` is given."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"factory {version('chatgenimage-factory')}")
        raise typer.Exit


@app.callback()
def begin(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Make an annotated and filtered image dataset from label words.

    Start with: factory run dog house
    """


for title, modules in PANELS.items():
    known = len(app.registered_commands), len(app.registered_groups)
    for module in modules:
        module.register(app)
    for command in app.registered_commands[known[0] :] + app.registered_groups[known[1] :]:
        command.rich_help_panel = title
