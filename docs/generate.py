"""Writes the pages that the code can write itself: `make docs`, or `python -m docs.generate`."""  # noqa: INP001  (a script, no package)

import html
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click
from typer.main import get_command

from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import PLACES, Settings
from chatgenimage.factory.settings.validation_errors import FAMILY_CLASSES

FOLDER = Path(__file__).parent
SECTIONS = ("chain", "thresholds", "delivery")
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
SETTINGS_HEAD = """\
# Settings

Written by `make docs`; a test fails when it is out of date.

A profile is a YAML file: a name in `configs/` or a path, given by `--profile` or
`FACTORY_PROFILE`. What stands in the environment wins over the profile, what stands on the command
line wins over both. In the environment a key is written in capitals behind `FACTORY_`, with two
underscores for every level: `FACTORY_CHAIN__PER_LABEL=4`. An unknown key is refused.
"""
FROZEN = (
    "A run freezes its profile into the database, without secrets and without the keys about where "
    "it happens or who looks on: "
)
CLI_HEAD = """\
<!-- Written by `make docs`; a test fails when it is out of date. -->

"""


def pages() -> dict[Path, str]:
    """Return the pages by their path."""
    return {FOLDER / "settings.md": settings_page(), FOLDER / "cli.md": cli_page()}


def settings_page() -> str:
    """Return every key with its type, default and meaning."""
    places = ", ".join(f"`{name}`" for name in Settings.model_fields if name in PLACES)
    frozen = fill(f"{FROZEN}{places}.", 100, break_on_hyphens=False) + "\n"
    parts = [SETTINGS_HEAD, frozen, "## At the top\n", table(Settings, skip=SECTIONS)]
    for section in SECTIONS:
        model = Settings.model_fields[section].annotation
        assert isinstance(model, type)  # noqa: S101  (a model, as the next line needs)
        parts += [f"## `{section}`\n", f"{model.__doc__}\n", table(model, f"{section}.")]
    parts.append("## `families`\n\nEach entry has a name that `roles` uses, and a `family`.\n")
    for name, model in FAMILY_CLASSES.items():
        parts += [f"### `family: {name}`\n", f"{model.__doc__}\n", table(model, skip=("family",))]
    return "\n".join(parts)


def table(model: type[BaseModel], prefix: str = "", skip: tuple[str, ...] = ()) -> str:
    """Return a model's keys as a Markdown table."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name not in skip:
            kind = ", ".join([spell(field.annotation), *limits(field)])
            cells = (f"`{prefix}{name}`", kind, default(field), field.description or "")
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def spell(annotation: Any) -> str:  # noqa: ANN401  (any type)
    """Return a type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(spell(argument) for argument in arguments if argument is not NoneType)
    if origin is tuple:
        return "list" if arguments[-1] is Ellipsis else f"list of {len(arguments)}"
    if origin is dict:
        return "mapping"
    names = {str: "text", int: "whole number", float: "number", bool: "yes or no"}
    names |= {SecretStr: "secret text", Path: "path"}
    return names[annotation]


def limits(field: FieldInfo) -> Iterator[str]:
    """Yield what bounds a value has."""
    for bound in field.metadata:
        for name, words in BOUNDS.items():
            if (value := getattr(bound, name, None)) is not None:
                yield f"{words} {value}"


def default(field: FieldInfo) -> str:
    """Return a default as YAML would have it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, dict):
        return "the five roles of `micro.yaml`"
    if value is None:
        return ""
    return f"`{json.dumps(value) if isinstance(value, bool) or value == '' else value}`"


def cli_page() -> str:
    """Return what every `--help` says."""
    command = get_command(app)
    unfold(command)
    text = get_docs_for_click(obj=command, ctx=command.make_context("factory", ["status"]))
    return CLI_HEAD + html.unescape(text).rstrip() + "\n"


def unfold(command: Any) -> None:  # noqa: ANN401  (a command of click, or a group of them)
    """Let a list of commands show the first paragraph of each, not only its beginning."""
    for each in getattr(command, "commands", {}).values():
        each.short_help = " ".join((each.help or "").split("\n\n")[0].split())
        unfold(each)


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8")
