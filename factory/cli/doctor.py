"""`factory doctor`: check the installation, and compare rows with image files."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.cli.common import (
    AsJson,
    StoreOptions,
    expected_errors,
    print_json,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.commands import complete

if TYPE_CHECKING:
    from chatgenimage.factory.doctor.findings import Finding
    from chatgenimage.factory.settings.model import Settings

COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}


@expected_errors("not everything was checked. What --repair changed is kept.")
@takes(place=StoreOptions)
def doctor(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make rows and files consistent; no file is deleted.")
    ] = False,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Also read every image and verify its checksum.")
    ] = False,
    place: StoreOptions,
    as_json: AsJson = False,
) -> None:
    """Check everything the factory needs and say what to do; exit code 1 if something is wrong.

    A finding is "wrong" if every run of the profile fails, or if data is damaged; it is a "warning"
    if runs are only slower or may stop later. Models that a run downloads are a warning.

    Example: factory doctor --profile sd15
    """
    settings = place.load_settings()
    from chatgenimage.factory.api.plugins import examine_plugins
    from chatgenimage.factory.doctor.checks import examine, has_rows_and_files
    from chatgenimage.factory.doctor.findings import Health

    findings = [*examine(settings), *examine_plugins()]
    if has_rows_and_files(settings, findings):
        findings += _compare(settings, repair=repair, checksums=checksums)
    findings = [replace(each, text=complete(each.text)) for each in findings]
    if as_json:
        print_json([asdict(found) for found in findings])
    else:
        stdout.print(_to_table(findings))
    if any(found.health is Health.WRONG for found in findings):
        raise typer.Exit(1)


def _compare(settings: "Settings", *, repair: bool, checksums: bool) -> "list[Finding]":
    """Compare the rows with the image files, and make both consistent if that is wanted."""
    from chatgenimage.db.errors import StorageUnavailable
    from chatgenimage.db.session import connect
    from chatgenimage.factory.doctor import store
    from chatgenimage.factory.doctor.findings import Finding, Health
    from chatgenimage.factory.image_store import open_images

    sessions, images = connect(settings.resolved_database_url()), open_images(settings)
    verify = _with_progress if checksums else None
    try:
        found = store.find_differences(sessions, images, verify)
    except StorageUnavailable as error:  # the other findings may say why
        return [Finding("rows", Health.WRONG, str(error).rstrip("."))]
    if repair:
        stderr.print(f"Repaired: {store.repair(sessions, images, found)}")
        found = store.find_differences(sessions, images, verify)
    return list(store.to_findings(found, verified=checksums))


def _with_progress(checksums: Sequence[str]) -> Iterable[str]:
    """Pass the checksums on and show on stderr how many are verified."""
    return track(checksums, "Verifying images", console=stderr, transient=True)


def _to_table(findings: Iterable["Finding"]) -> Table:
    table = Table.grid(padding=(0, 2))
    for found in findings:
        health = Text(found.health, style=COLOURS[found.health])
        table.add_row(found.name, health, Text(found.text, overflow="fold"))
    return table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
