"""Paths, modules, make targets and versions that pages and workflows name exist."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "workers/checkpoints").rglob("*.md"),
        ROOT / "pyproject.toml",
        ROOT / "Makefile",
    ]
)
HISTORY = "CHANGELOG.md"  # names what was there then
FOLDERS = "chatgenimage|factory|tasks|workers|db|configs|tests|benchmarks|training|docs"
PATH = re.compile(rf"(?<![\w/.@-])((?:{FOLDERS})/[\w./-]*\w)")
MODULE = re.compile(rf"python -m ((?:{FOLDERS})[\w.]*)")
EXAMPLES = {path.parent.name for path in ROOT.glob("examples/*/*/__init__.py")}
"""Packages that a reader installs first."""
IMPORT = re.compile(r"from (chatgenimage[\w.]*) import (\w+)")
TARGET = re.compile(r"make ([a-z][a-z-]+)")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def of_page(path):
    return str(path.relative_to(ROOT))


def targets():
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code_of(text):
    """Return what a page sets as code: in backticks, fenced or indented by four."""
    indented = re.findall(r"^ {4}.*$", text, re.MULTILINE)
    return "\n".join([*re.findall(r"`+([^`]+)`+", text), *indented])


@pytest.mark.parametrize("path", [path for path in PAGES if path.name != HISTORY], ids=of_page)
def test_every_path_that_a_page_names_is_there(path):
    named = PATH.findall(path.read_text(encoding="utf-8"))
    assert sorted({name for name in named if not (ROOT / name).exists()}) == []


@pytest.mark.parametrize("path", PAGES, ids=of_page)
def test_every_module_that_a_page_names_is_there(path):
    text = path.read_text(encoding="utf-8")
    names = {*MODULE.findall(text), *(module for module, _ in IMPORT.findall(text))}
    installed = names - EXAMPLES
    assert [name for name in installed if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("path", [*PAGES, *WORKFLOWS], ids=of_page)
def test_every_make_target_that_is_named_is_there(path):
    text = path.read_text(encoding="utf-8")
    named = TARGET.findall(code_of(text) if path.suffix == ".md" else "")
    if path in WORKFLOWS:
        named = TARGET.findall(text.partition("jobs:")[2])
        named += [
            name for each in re.findall(r"target: \[(.+)\]", text) for name in each.split(", ")
        ]
    assert sorted(set(named) - targets()) == []


def test_the_citation_has_the_version_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {project['version']}\n" in citation
    assert f"## [{project['version']}]" in (ROOT / HISTORY).read_text()
