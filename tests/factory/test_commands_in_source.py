"""Every command that is named in the code can be typed: the real command line parses it."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from chatgenimage.factory.cli import app

ROOT = Path(__file__).parents[2]
FOLDERS = ("db", "factory", "tasks", "workers")
NAMED = re.compile(r"`factory ([a-z][^`]*)`")
VALUE = "1"
"""For a part of a command that is known only when it is printed."""
NOT_TYPED = {"factory/commands.py", "factory/terminal/run_summary.py"}
"""Their words come from elsewhere; what `run_summary` prints is typed by another test."""


def text_of(node):
    """Return the text of a string, with `VALUE` for each field of an f-string."""
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else VALUE for part in node.values)
        return "".join(parts)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def words_of(call):
    """Return the words of a call of `spell`; what is starred is left out."""
    given = (word for word in call.args if not isinstance(word, ast.Starred))
    return tuple(text_of(word) or VALUE for word in given)


def read_commands(path):
    """Yield the words of each command in a module, but for those in docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {
        part
        for node in ast.walk(tree)
        for part in ([node.value] if isinstance(node, ast.Expr) else getattr(node, "values", ()))
        if not isinstance(node, ast.BoolOp | ast.Dict)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "spell":
            yield words_of(node)
        elif node not in parts:
            for found in NAMED.findall(text_of(node)):
                yield tuple(shlex.split(found))


def list_commands():
    """Return each command with the first file that names it."""
    found: dict[tuple[str, ...], str] = {}
    for path in (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))):
        name = str(path.relative_to(ROOT))
        for words in read_commands(path) if name not in NOT_TYPED else ():
            found.setdefault(words, name)
    return found


COMMANDS = list_commands()


def parse(words):
    """Parse a command; one that is only named, without arguments, must exist."""
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest:
        command = command.commands[rest.pop(0)]
    if rest or len(words) > 1:
        command.make_context(words[0], rest)


def test_commands_are_found():
    assert {("retry", VALUE), ("models", "pull"), ("status", VALUE, "--json")} <= COMMANDS.keys()
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("words", sorted(COMMANDS), ids=" ".join)
def test_a_command_in_a_message_is_parsed(words):
    parse(words)


def test_templates_spell_their_commands():
    for path in (ROOT / "factory").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<code>factory [a-z]+ [^<]", text), path
        for call in re.findall(r"spell\(([^)]*)\)", text):
            tree = ast.parse(f"spell({call})", mode="eval")
            parse(words_of(tree.body))
