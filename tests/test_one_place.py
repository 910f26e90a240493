"""One place per decision: a name means one class, and one module writes verdicts."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("configs", "db", "factory", "tasks", "workers")


def parse_package():
    """Yield the path of each module of the package, and its syntax tree."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def writes_verdict(node):
    """Return whether a statement sets the attribute `verdict`, or the column of it."""
    if isinstance(node, ast.Assign):
        targets = [each for target in node.targets for each in ast.walk(target)]
        return any(isinstance(each, ast.Attribute) and each.attr == "verdict" for each in targets)
    is_values = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "values"
    return is_values and any(keyword.arg == "verdict" for keyword in node.keywords)


def list_shared(kind, *, left_out=()):
    """Return the files of each public name of a kind that more than one module defines."""
    places = defaultdict(list)
    for path, tree in parse_package():
        if not path.startswith(left_out):
            for node in tree.body:
                if isinstance(node, kind) and not node.name.startswith("_"):
                    places[node.name].append(path)
    assert len(places) > 100
    return {name: files for name, files in places.items() if len(files) > 1}


def test_two_public_classes_do_not_share_a_name():
    assert list_shared(ast.ClassDef) == {}


def test_two_public_functions_share_a_name_only_where_they_are_parts_of_a_step():
    # A command of the CLI, or a function of the API, is named after the function that it calls; a
    # migration has two names.
    named_alike = ("factory/api/", "factory/cli/", "db/migrations/")
    shared = list_shared(ast.FunctionDef, left_out=named_alike)
    assert set(shared) == {"plan", "read", "compute", "write"}


def test_one_module_writes_verdicts():
    found = {path for path, tree in parse_package() if any(map(writes_verdict, ast.walk(tree)))}
    assert found == {"db/verdicts.py"}
