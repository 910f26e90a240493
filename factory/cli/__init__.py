"""The command line: one module per noun; a command parses, calls one function, prints."""

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
    gallery,
    mark,
    metrics,
    models,
    query,
    refilter,
    replay,
    report,
    resume,
    run,
    show,
    status,
    thresholds,
    watch,
    worker,
)

PANELS = {
    "Make a dataset": (run, annotate, resume, export),
    "Follow a run": (status, watch, control),
    "Look and judge": (
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
    "Keep it running": (doctor, models, worker, dispatch, flower, metrics),
}
"""The modules under the titles that `factory --help` shows them with."""

app = typer.Typer(name="factory", no_args_is_help=True, pretty_exceptions_enable=False)


def tell_version(wanted: bool) -> None:  # noqa: FBT001  # as typer calls it
    """Print the version, if that is wanted, and end."""
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
            "--version", callback=tell_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Label words in, an annotated and filtered image dataset out.

    Begin with: factory run dog house
    """


for title, modules in PANELS.items():
    known = len(app.registered_commands), len(app.registered_groups)
    for module in modules:
        module.register(app)
    for command in app.registered_commands[known[0] :] + app.registered_groups[known[1] :]:
        command.rich_help_panel = title
