"""The wheel that images install: it has every file of the packages, not only code."""

import os
import subprocess
import sys

from tests.deploy.composed import ROOT

BUILD = "import setuptools; setuptools.setup()"
PACKAGES = ("configs", "db", "factory", "tasks", "workers")


def files_in(folder):
    """Return the files of the packages, without Python's caches."""
    found = (path for name in PACKAGES for path in (folder / name).rglob("*"))
    return {
        str(path.relative_to(folder))
        for path in found
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_file_of_the_packages(tmp_path):
    words = ["egg_info", "--egg-base", tmp_path, "build_py", "--build-lib", tmp_path]
    built = subprocess.run(
        [sys.executable, "-c", BUILD, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert files_in(ROOT) - files_in(tmp_path) == set()
