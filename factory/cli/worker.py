"""`factory worker`: the long-running process that runs the steps."""

from typing import Annotated

import typer

from chatgenimage.factory.cli.common import (
    CONTINUES,
    Probe,
    StoreOptions,
    expected_errors,
    stdout,
    takes,
)


@expected_errors(CONTINUES)
@takes(place=StoreOptions)
def worker(
    *,
    role: Annotated[
        str, typer.Argument(help="A role of the profile, several separated by commas, or all.")
    ] = "all",
    device: Annotated[
        str | None, typer.Option(help="Device of its models, e.g. cuda:1; one process per device.")
    ] = None,
    place: StoreOptions,
    probe: Probe = False,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Process the queue of a role, or of all roles, until Ctrl-C.

    Waits if the database or the broker does not answer yet.

    Example: factory worker diffusion --profile sd15 --device cuda:1
    """
    settings = place.load_settings(device=device)
    if probe:
        from chatgenimage.factory.processes import liveness

        stdout.print(f"worker {role!r}: last heartbeat {liveness.probe(settings, role):.0f} s ago")
        return
    from chatgenimage.factory.app import roles_named
    from chatgenimage.factory.doctor.readiness import prepare
    from chatgenimage.factory.processes.worker import run_worker

    prepare(settings, roles_named(settings, role), waits=True)
    run_worker(settings, role, until_stdin_closes=until_stdin_closes)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worker)
