"""`factory worker` and `factory dispatch`: the long-running processes."""

from typing import Annotated

import typer

from factory.cli.common import DataDir, ProfileName, expected_errors
from factory.settings import load_settings


def worker(
    role: Annotated[str, typer.Argument(help="A role of the profile, or all.")] = "all",
    profile: ProfileName = None,
    data_dir: DataDir = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve one role's queue, or all of them on a laptop, until Ctrl-C.

    Example: factory worker diffusion --profile sd15
    """
    with expected_errors():
        from factory.worker import run_worker

        settings = load_settings(profile, data_dir=data_dir)
        run_worker(settings, role, until_stdin_closes=until_stdin_closes)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worker)
