"""The keywords of `export` and the options of `factory export`: each has its counterpart."""

import inspect
from typing import get_type_hints

from typer.core import TyperGroup
from typer.main import get_command

from chatgenimage import export
from chatgenimage.factory.api.exports import NOT_OF_EXPORTS, ExportOptions
from chatgenimage.factory.cli import app

OTHER_NAMES = {
    "format_": "format",
    "map_": "merge",
    "run_id": "run",
    "labels": "label",
    "round_": "round",
    "least": "scores",
    "most": "scores",
    "caption_words": "caption",
    "domains": "domain",
    "least_objects": "object_count",
    "most_objects": "object_count",
}
"""Keyword by the command's parameter, where the names differ."""
OF_THE_TERMINAL = {"as_json", "heed_marks"}
"""The form of the output, and a former name."""


def parameters_of_command():
    commands = get_command(app)
    assert isinstance(commands, TyperGroup)
    return commands.commands["export"].params


def test_the_command_and_the_function_take_the_same_choices():
    options = {one.name for one in parameters_of_command()} - OF_THE_TERMINAL
    typed = {OTHER_NAMES.get(name, name) for name in options}
    own = inspect.signature(export).parameters.keys() - {"options"}
    keywords = own | get_type_hints(ExportOptions).keys()
    assert typed == keywords - NOT_OF_EXPORTS


def test_their_defaults_are_equal():
    command = {one.name: one.default for one in parameters_of_command()}
    empty = (None, (), {}, [])
    for name, parameter in inspect.signature(export).parameters.items():
        typed = next((old for old, new in OTHER_NAMES.items() if new == name), name)
        if parameter.default is not inspect.Parameter.empty:
            both_empty = parameter.default in empty and command[typed] in empty
            assert both_empty or parameter.default == command[typed], name
