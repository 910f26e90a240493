"""`factory worker`: the long-running process that does the work."""

from typing import Annotated

import typer

from chatgenimage.factory.cli.common import Place, expected_errors, stdout, takes


@expected_errors()
@takes(place=Place)
def worker(
    *,
    role: Annotated[
        str, typer.Argument(help="A role of the profile, several with commas, or all.")
    ] = "all",
    device: Annotated[
        str | None, typer.Option(help="Where its models compute, e.g. cuda:1; one process each.")
    ] = None,
    place: Place,
    probe: Annotated[
        bool, typer.Option("--probe", help="Only tell whether one lives here: exit code 0 or 1.")
    ] = False,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve one role's queue, or all of them on a laptop, until Ctrl-C.

    Waits for a database or broker that does not answer yet.

    Example: factory worker diffusion --profile sd15 --device cuda:1
    """
    settings = place.load_settings(device=device)
    if probe:
        from chatgenimage.factory.processes import liveness

        stdout.print(f"worker {role!r} beat {liveness.probe(settings, role):.0f} s ago")
        return
    from chatgenimage.factory.processes.worker import run_worker

    run_worker(settings, role, until_stdin_closes=until_stdin_closes)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worker)
