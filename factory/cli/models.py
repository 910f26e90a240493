"""`factory models`: list, fetch and try the models that a profile needs."""

import typer

from chatgenimage.factory.cli import calibrate, checkpoints

app = typer.Typer(
    help="List, download, try and calibrate the models of a profile.", no_args_is_help=True
)


def register(root: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(checkpoints.list_)
    app.command("pull")(checkpoints.pull)
    app.command("check")(checkpoints.check)
    app.command("calibrate")(calibrate.calibrate)
    root.add_typer(app, name="models")
