"""`factory doctor`: is everything there that a factory needs, and do rows and files agree?"""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from factory.cli.common import (
    AsJson,
    DatabaseUrl,
    DataDir,
    ProfileName,
    expected_errors,
    print_json,
    stderr,
    stdout,
)
from factory.settings import load_settings

COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Make rows and files agree; nothing is deleted.")
    ] = False,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything a factory needs and say what to do; exit code 1 if something is wrong.

    Example: factory doctor --profile sd15
    """
    with expected_errors():
        settings = load_settings(profile, data_dir=data_dir, database_url=database_url)
        from db.session import connect
        from factory import doctor_store
        from factory.doctor import Health, examine, has_database
        from factory.images import open_images

        findings = list(examine(settings))
        has_rows = has_database(settings) and all(
            found.health is Health.OK for found in findings if found.name in {"database", "images"}
        )
        if has_rows:
            sessions = connect(settings.resolved_database_url())
            images = open_images(settings)
            if repair:
                stderr.print(f"Repaired: {doctor_store.repair(sessions, images)}")
            findings += doctor_store.compare(sessions, images)
        if as_json:
            print_json([asdict(found) for found in findings])
        else:
            table = Table.grid(padding=(0, 2))
            for found in findings:
                health = Text(found.health, style=COLOURS[found.health])
                table.add_row(found.name, health, Text(found.text, overflow="fold"))
            stdout.print(table)
        if any(found.health is Health.WRONG for found in findings):
            raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
