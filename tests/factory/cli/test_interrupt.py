"""Ctrl-C: in the first second, while modules are imported, and in the middle of a command."""

import subprocess
import sys

import pytest

from tests.factory.answers import answered

pytestmark = pytest.mark.processes

INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
event, word, *sys.argv[1:] = sys.argv[1:]
def interrupt(seen, args):
    if seen == event and any(str(one).endswith(word) for one in args[:2]):
        signal.raise_signal(signal.SIGINT)
sys.addaudithook(interrupt)
from chatgenimage.__main__ import main
main()
"""
"""Sends itself SIGINT when Python imports a module or opens or renames a file of that name."""


def interrupted(cwd, event, word, *command):
    """Run a command that gets a Ctrl-C there, once or more; return it."""
    return subprocess.run(
        [sys.executable, "-c", INTERRUPTED, event, word, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    "module",
    [
        "typer",
        "sqlalchemy",
        "chatgenimage.factory.submission.labels",
        "chatgenimage.factory.local_run",
    ],
)
def test_ctrl_c_while_the_command_is_imported_ends_with_one_line(tmp_path, module):
    ended = interrupted(tmp_path, "import", module, "run", "dog")
    assert ended.returncode == 130
    assert ended.stderr.startswith("Stopped")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("module", "words", "line"),
    [
        ("planning.preview", ["plan", "dog"], "nothing was changed. The same command starts again"),
        ("doctor.findings", ["doctor"], "not everything was checked"),
        ("curation.thresholds", ["thresholds"], "each file is complete, or as it was before"),
        ("reports.report", ["report"], "each file is complete, or as it was before"),
        ("progress.watch", ["watch"], "the run is not changed"),
        ("processes.resume_run", ["resume", "--no-worker"], "all changes are in the database, or"),
        ("submission.label_check", ["submit", "dog"], "a run is submitted whole or not at all"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_ctrl_c_prints_what_was_written(filled_place, tmp_path, module, words, line):
    place = ("--data-dir", filled_place.data_dir)
    ended = interrupted(tmp_path, "import", f"chatgenimage.factory.{module}", *words, *place)
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.startswith(f"Stopped; {line}"), ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_interrupted_export_is_continued(filled_place, factory, tmp_path):
    words = ("export", "coco", "--out", tmp_path / "out")
    place = ("--data-dir", filled_place.data_dir)
    ended = interrupted(tmp_path, "open", "classes.txt", *words, *place)
    assert ended.returncode == 130
    assert ended.stderr == (
        "Stopped; the folder is complete, or as it was before. The same command continues.\n"
    )
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.partial").is_dir()
    assert "6 images" in answered(factory(*words))
    assert not (tmp_path / ".out.partial").exists()


def test_ctrl_c_while_an_export_is_replaced_leaves_the_earlier_one(filled_place, factory, tmp_path):
    words = ("export", "coco", "--out", tmp_path / "out")
    answered(factory(*words))
    earlier = (tmp_path / "out" / "README.md").stat().st_ino
    place = ("--overwrite", "--data-dir", filled_place.data_dir)
    ended = interrupted(tmp_path, "os.rename", ".out.partial", *words, *place)
    assert ended.returncode == 130
    assert (tmp_path / "out" / "README.md").stat().st_ino == earlier
