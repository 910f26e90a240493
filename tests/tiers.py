"""Tiers of the tests: which test runs when, and which tests share a process of pytest-xdist.

A test has the mark `fast` unless it has one of `processes`, `models` and `slow`: of its folder, of
a fixture, of a model library that its file imports, or its own. A fast test that starts a process
or imports a model library fails.
"""

import re
import sys
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FAST = "fast"
HEAVY = ("processes", "models", "slow")
OF_FOLDERS = {
    "chaos": ("slow", "processes"),
    "contract": ("models",),
    "deploy": ("processes",),
    "e2e": ("processes", "models"),
    "language": ("slow", "processes"),
    "trainers": ("slow", "processes", "models"),
    "training": ("models",),
}
OF_FIXTURES = {
    "chromium": "processes",
    "micro": "models",
    "postgres": "processes",
    "running_s3": "processes",
}
GROUP_OF_FIXTURES = {"chromium": "browser", "micro": "micro models"}
"""Groups that go beyond one file: they share what takes long to start."""
EACH_ALONE = ("e2e",)
"""Folders whose tests share nothing: each may run in any process."""
FIRST = ("chaos", "e2e", "deploy", "language", "trainers", "packaging")
"""Folders with tests of minutes: what is begun last should be short."""
WEIGHTS = ("slow", "processes", "models")
"""Markers of tests in other folders, longest tests first; tests without one come last."""
STARTS_A_PROCESS = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system")
MODEL_LIBRARIES = ("torch", "transformers", "diffusers", "open_clip", "safetensors.torch")
IMPORTS_MODELS = re.compile(rf"^(import|from) ({'|'.join(MODEL_LIBRARIES)})\b", re.MULTILINE)


def add_marks(items):
    """Give each test the pytest markers of its folder and fixtures, or `fast`; and its group."""
    for item in items:
        for name in _marks_of(item.path):
            item.add_marker(name)
        for name in _needs(item) & OF_FIXTURES.keys():
            item.add_marker(OF_FIXTURES[name])
        if not any(item.get_closest_marker(name) for name in HEAVY):
            item.add_marker(FAST)
        if group := _group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))


def put_longest_first(items):
    """Sort the files, so that no process begins a long one when the others have ended."""
    places = {}
    for item in items:
        places[item.path] = min(_place_in_line(item), places.get(item.path, sys.maxsize))
    items.sort(key=lambda item: places[item.path])


def is_of_another_tier(path, expression):
    """Return whether a file or folder has no fast test and only those are wanted: no import."""
    return expression == FAST and TESTS in path.parents and bool(_marks_of(path))


@cache
def _marks_of(path):
    """Return the pytest markers of every test in a file or folder."""
    if marks := OF_FOLDERS.get(_folder_of(path)):
        return marks
    is_code = path.suffix == ".py" and path.name != "conftest.py"
    return ("models",) if is_code and IMPORTS_MODELS.search(path.read_text("utf-8")) else ()


def _folder_of(path):
    return path.relative_to(TESTS).parts[0]


def _needs(item):
    """Return the fixtures of a test, those too that a parameter names ("postgres")."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {*item.fixturenames, *(value for value in parameters if isinstance(value, str))}


def _group_of(item):
    shared = [group for name, group in GROUP_OF_FIXTURES.items() if name in _needs(item)]
    if shared or _folder_of(item.path) not in EACH_ALONE:
        return shared[0] if shared else str(item.path.relative_to(TESTS))
    return None


def _place_in_line(item):
    folder = _folder_of(item.path)
    if folder in FIRST:
        return FIRST.index(folder)
    marks = [number for number, name in enumerate(WEIGHTS) if item.get_closest_marker(name)]
    return len(FIRST) + min(marks, default=len(WEIGHTS))


class Watch:
    """Notices what a fast test may not do, by Python's audit events."""

    def __init__(self):
        self._seen = None
        sys.addaudithook(self._hear)  # for ever: Python has no way to remove one

    def begin(self):
        """Notice from now on."""
        self._seen = []

    def end(self):
        """Return what was noticed, and notice no more."""
        seen, self._seen = self._seen, None
        return seen

    def _hear(self, event, arguments):
        if self._seen is None:
            return
        if event in STARTS_A_PROCESS:
            self._seen.append(f"{event} {arguments[:1]}: mark the test `processes`")
        elif event == "import" and arguments[0] in MODEL_LIBRARIES:
            self._seen.append(f"import {arguments[0]}: mark the test `models`")
