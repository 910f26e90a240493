"""`factory dispatch` and `factory migrate`: processes that a deployment runs besides workers."""

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
def dispatch(
    *,
    place: StoreOptions,
    probe: Probe = False,
) -> None:
    """Run only the dispatcher, which fills the queues, until Ctrl-C.

    Every worker also runs a dispatcher. Use this command if an autoscaler starts workers by the
    length of a queue.

    Example: factory dispatch --profile sd15
    """
    settings = place.load_settings()
    from chatgenimage.factory.processes.liveness import probe as age_of
    from chatgenimage.factory.processes.standalone_dispatcher import NAME, run_dispatcher

    if probe:
        stdout.print(f"dispatcher: last heartbeat {age_of(settings, NAME):.0f} s ago")
    else:
        run_dispatcher(settings)


@expected_errors(CONTINUES)
@takes(place=StoreOptions)
def migrate(*, place: StoreOptions) -> None:
    """Create the database, or upgrade its schema to the newest version.

    Workers and `factory run` do this too. Use this command as the first step of an upgrade.

    Example: factory migrate --database-url postgresql+psycopg://factory@db/factory
    """
    settings = place.load_settings()
    from chatgenimage.db.session import find_revision, show_engine
    from chatgenimage.factory.database import open_database

    sessions = open_database(settings)
    stdout.print(f"{show_engine(sessions)} has schema {find_revision(sessions)}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(dispatch)
    app.command()(migrate)
