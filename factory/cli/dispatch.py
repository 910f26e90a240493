"""`factory dispatch` and `factory migrate`: what a deployment runs beside its workers."""

from typing import Annotated

import typer

from chatgenimage.factory.cli.common import Place, expected_errors, stdout, takes


@expected_errors()
@takes(place=Place)
def dispatch(
    *,
    place: Place,
    probe: Annotated[
        bool, typer.Option("--probe", help="Only tell whether one lives here: exit code 0 or 1.")
    ] = False,
) -> None:
    """Fill the queues without working them off, until Ctrl-C.

    A worker does this too; alone it is for what starts workers by the length of a queue.

    Example: factory dispatch --profile sd15
    """
    settings = place.load_settings()
    from chatgenimage.factory.processes.liveness import probe as age_of
    from chatgenimage.factory.processes.standalone_dispatcher import NAME, run_dispatcher

    if probe:
        stdout.print(f"dispatcher beat {age_of(settings, NAME):.0f} s ago")
    else:
        run_dispatcher(settings)


@expected_errors()
@takes(place=Place)
def migrate(*, place: Place) -> None:
    """Bring the database to the newest schema; it is made if there is none.

    Workers and `factory run` do this too; alone it is the first step of an upgrade.

    Example: factory migrate --database-url postgresql+psycopg://factory@db/factory
    """
    settings = place.load_settings()
    from chatgenimage.db.session import engine_of, find_revision
    from chatgenimage.factory.database import open_database

    sessions = open_database(settings)
    url = engine_of(sessions).url.render_as_string()
    stdout.print(f"{url} has schema {find_revision(sessions)}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(dispatch)
    app.command()(migrate)
