"""The documentation says what the code does."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from docs.generate import FOLDER, pages

ROOT = FOLDER.parent
PAGES = sorted([*FOLDER.rglob("*.md"), *ROOT.glob("*.md")])
DECISIONS = sorted((FOLDER / "adr").glob("*.md"))
LINK = re.compile(r"\]\(([^)#]+)")


def of_page(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", pages(), ids=of_page)
def test_a_page_that_the_code_writes_is_up_to_date(path):
    is_fresh = path.read_text(encoding="utf-8") == pages()[path]
    assert is_fresh, f"{of_page(path)} is out of date; run `make docs` and commit it"


@pytest.mark.parametrize("path", PAGES, ids=of_page)
def test_every_linked_file_is_there(path):
    text = path.read_text(encoding="utf-8")
    links = [path.parent / link for link in LINK.findall(text) if "://" not in link]
    assert [str(place) for place in links if not place.exists()] == []


@pytest.mark.parametrize("room", ["factory", "tasks", "workers", "db"])
def test_every_error_is_explained(room):
    tree = ast.parse((ROOT / room / "errors.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    text = (FOLDER / "errors.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("path", DECISIONS, ids=of_page)
def test_every_decision_tells_context_choice_alternatives_and_cost(path):
    titles = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == ["Context", "Choice", "Alternatives", "Cost"]


def test_decisions_are_numbered_without_gaps():
    numbers = [int(Path(path).name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_architecture_page_names_every_decision():
    text = (FOLDER / "architecture.md").read_text(encoding="utf-8")
    assert [path.name for path in DECISIONS if f"(adr/{path.name})" not in text] == []


def test_the_architecture_page_has_the_layers_that_are_checked():
    text = (FOLDER / "architecture.md").read_text(encoding="utf-8")
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [layers] = [
        one["layers"]
        for one in config["tool"]["importlinter"]["contracts"]
        if one.get("containers") == ["chatgenimage.factory"]
    ]
    lines = [f"{number}. `{line}`" for number, line in enumerate(layers, 1)]
    assert "\n".join(lines).replace(" | ", "`, `") in text


def test_the_architecture_page_names_every_folder_of_the_factory():
    text = (FOLDER / "architecture.md").read_text(encoding="utf-8")
    folders = [path.parent.name for path in (ROOT / "factory").glob("*/__init__.py")]
    assert [name for name in folders if f"`factory/{name}/`" not in text] == []


def test_every_page_is_reached_from_where_a_reader_begins():
    begin = (FOLDER / "index.md").read_text(encoding="utf-8")
    pages = [path.name for path in FOLDER.glob("*.md") if path.name != "index.md"]
    assert [page for page in pages if f"]({page}" not in begin] == []


def test_the_glossary_s_names_are_those_of_the_code():
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for room in ("factory", "tasks", "workers", "db", "chatgenimage/testing")
        for path in (ROOT / room).rglob("*.py")
    )
    words = set(re.findall(r"\w+", source))
    text = (FOLDER / "glossary.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    names = {
        part
        for row in rows
        for name in re.findall(r"`([\w.]+)`", row[-1])
        for part in name.split(".")
    }
    assert sorted(names - words) == []
