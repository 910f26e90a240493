"""`factory export`: the dataset in a format that others read."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from db.states import Verdict
from factory.cli.common import (
    AsJson,
    DatabaseUrl,
    DataDir,
    ProfileName,
    expected_errors,
    open_store,
    print_json,
    stdout,
)
from factory.cli.filtering import LabelNames, Least, Most, OriginName, RunId, make_filter


@expected_errors()
def coco(
    out: Annotated[Path, typer.Argument(help="A folder that is made.")],
    run: RunId = None,
    label: LabelNames = None,
    verdict: Annotated[Verdict, typer.Option(help="Which candidates.")] = Verdict.ACCEPTED,
    origin: OriginName = None,
    least: Least = None,
    most: Most = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier export.")] = False,
    as_json: AsJson = False,
    profile: ProfileName = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write the accepted candidates as a COCO dataset: images, boxes, RLE masks, captions.

    Example: factory export coco dataset --run 1 --label dog
    """
    from factory.export.coco import export_coco

    store = open_store(profile, data_dir, database_url)
    wanted = make_filter(
        run_id=run, labels=label, verdict=verdict, origin=origin, least=least, most=most
    )
    done = export_coco(store.sessions, store.images, out, wanted, overwrite=overwrite)
    if as_json:
        print_json(asdict(done))
    else:
        stdout.print(str(done), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    formats = typer.Typer(help="Write the dataset in a format that others read.")
    formats.callback()(lambda: None)
    formats.command()(coco)
    app.add_typer(formats, name="export", no_args_is_help=True)
