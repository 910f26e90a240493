"""`factory export`: write a dataset in a format of other tools."""

import shlex
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from chatgenimage.db.queries import CandidateFilter
from chatgenimage.factory.cli.common import (
    AsJson,
    expected_errors,
    open_chosen_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.cli.filtering import VerdictChoice, choose_candidates, find_verdict
from chatgenimage.factory.commands import PLACE_OPTIONS
from chatgenimage.factory.export.base import Masks
from chatgenimage.factory.export.class_choice import (
    CLASSES_FILE,
    ClassChoice,
    parse_classes,
    parse_merges,
)
from chatgenimage.factory.export.exporting import export
from chatgenimage.factory.export.formats import FORMATS
from chatgenimage.factory.export.request import ExportRequest
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_INTEGER

NOT_REPEATED = frozenset({*PLACE_OPTIONS, "run", "overwrite", "as_json"})
"""Options that a repeated command leaves out: places, perhaps secret, the number of a run, which is
another one elsewhere, and overwriting."""
INSTEAD = {"classes": CLASSES_FILE, "originals": "FOLDER"}
"""Values in a repeated command by option: what the folder of the export has, or no path."""


FormatName = Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of: {', '.join(FORMATS)}.")]
SplitShares = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=SHARE,...",
        help="Shares of the splits, e.g. train=0.8,val=0.1,test=0.1.",
        show_default="what the format's trainers need, else train=1",
    ),
]
SplitSeed = Annotated[
    int, typer.Option(min=0, max=MAX_INTEGER, help="Seed of the splits; families stay together.")
]
ClassNames = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="FILE|A,B,...",
        help="The classes in the order of their numbers; all others are left out.",
        show_default="as earlier exports",
    ),
]
Merges = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="OLD=NEW", help="Merge a class into another; may be repeated."),
]
Extras = Annotated[
    bool,
    typer.Option(
        "--extras",
        help="Export objects of other classes too: of the profile's class list, of captions, and "
        "those that the language model added.",
    ),
]
OriginalFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--originals",
        metavar="FOLDER",
        help="The folder of your annotated pictures: its files are exported instead of the stored "
        "copies, with boxes in their pixels; may be repeated.",
    ),
]
MaskEncoding = Annotated[
    Masks | None,
    typer.Option(help="Form of the masks, or none: boxes alone; the default is the format's."),
]
StrictSplits = Annotated[bool, typer.Option(help="Fail if a split has no image or lacks a label.")]
ExportedVerdict = Annotated[
    VerdictChoice, typer.Option(help="Verdict of the candidates to export.")
]
Overwrite = Annotated[bool, typer.Option(help="Replace an earlier export in this folder.")]


def choose_classes(
    *, classes: ClassNames = None, map_: Merges = None, extras: Extras = False
) -> ClassChoice:
    """Return the classes that the options ask for."""
    names = None if classes is None else parse_classes(classes)
    return ClassChoice(names, parse_merges(map_ or ()), extras)


@expected_errors("the folder is complete, or as it was before. The same command continues.")
@takes(chosen=choose_classes, wanted=choose_candidates, store=open_chosen_store)
def export_dataset(
    *,
    context: typer.Context,
    format_: FormatName,
    out: Annotated[Path, typer.Option(help="Folder to create.")],
    splits: SplitShares = None,
    seed: SplitSeed = 0,
    strict_splits: StrictSplits = False,
    masks: MaskEncoding = None,
    chosen: ClassChoice,
    originals: OriginalFolders = None,
    wanted: CandidateFilter,
    verdict: ExportedVerdict = VerdictChoice.ACCEPTED,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Write the accepted candidates as a dataset, with a dataset card.

    If an export was interrupted, the same command continues it.

    Example: factory export coco --out dataset --run 1 --splits train=0.8,val=0.2
    """
    request = ExportRequest.of(
        format_,
        out,
        replace(wanted, verdict=find_verdict(verdict)),
        splits=splits,
        seed=seed,
        masks=masks,
        classes=chosen,
        originals=tuple(originals or ()),
        command=spell_command(context),
        overwrite=overwrite,
        strict_splits=strict_splits,
    )
    done = export(store.sessions, store.images, request)
    if as_json:
        print_json(asdict(done))
    else:
        stdout.print(str(done), soft_wrap=True)
    if done.missing_originals:
        raise typer.Exit(1)


def spell_command(context: typer.Context) -> str:
    """Return the command line as it was entered, quoted for a shell and without secrets."""
    words = ["factory", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in NOT_REPEATED:
            words += _words(parameter, INSTEAD.get(name, context.params[name]))
    return shlex.join(words)


def _words(parameter: Any, value: Any) -> Iterator[str]:  # noqa: ANN401  # typer's; any value
    """Yield a parameter as it is typed: a flag alone, an option before each of its values."""
    if isinstance(value, bool):
        yield parameter.opts[0] if value else parameter.secondary_opts[0]
        return
    for single in value if isinstance(value, list | tuple) else [value]:
        if parameter.param_type_name == "option":
            yield parameter.opts[0]
        yield str(single)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export_dataset)
