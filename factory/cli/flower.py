"""`factory flower`: show queues, workers and tasks in a browser."""

import os
from functools import partial
from typing import Annotated

import typer

from chatgenimage.factory.cli.common import DataDir, Port, ProfileName, expected_errors, stderr
from chatgenimage.factory.settings.model import load_settings


@expected_errors()
def flower(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs your own password.")
    ] = "127.0.0.1",
    port: Port = 5555,
    profile: ProfileName = None,
    data_dir: DataDir = None,
) -> None:
    """Serve Flower, a page of queues, workers and tasks with a password, until Ctrl-C.

    The login is FACTORY_FLOWER_BASIC_AUTH=user:password; without it, a new one is printed.

    Example: factory flower --port 5555
    """
    settings = load_settings(profile, data_dir=data_dir)
    from chatgenimage.factory.monitoring.flower import serve_flower

    serve_flower(settings, host, port, partial(stderr.print, soft_wrap=True))
    os._exit(0)  # a normal exit would wait for Flower's threads, which wait for the broker


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(flower)
