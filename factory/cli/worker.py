"""`factory worker`: the long-running process that does the work."""

from typing import Annotated

import typer

from factory.cli.common import DatabaseUrl, DataDir, ProfileName, expected_errors
from factory.settings import load_settings


def worker(
    role: Annotated[str, typer.Argument(help="A role of the profile, or all.")] = "all",
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve one role's queue, or all of them on a laptop, until Ctrl-C.

    Example: factory worker diffusion --profile sd15
    """
    with expected_errors():
        from factory.worker import run_worker

        settings = load_settings(profile, data_dir=data_dir, database_url=database_url)
        run_worker(settings, role, until_stdin_closes=until_stdin_closes)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worker)
