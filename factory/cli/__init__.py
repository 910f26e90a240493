"""The command line: one module per noun; a command parses, calls one function, prints."""

import typer

from factory.cli import (
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

app = typer.Typer(
    name="factory",
    help="Label words in, an annotated and filtered image dataset out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for module in (
    run,
    annotate,
    resume,
    worker,
    dispatch,
    status,
    watch,
    control,
    query,
    show,
    mark,
    refilter,
    thresholds,
    replay,
    report,
    gallery,
    export,
    contact_sheet,
    flower,
    metrics,
    models,
    doctor,
):
    module.register(app)
