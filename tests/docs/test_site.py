"""The documentation as web pages: every link and anchor inside it resolves."""

import os
import shutil
import subprocess
import sys

import pytest

from docs.generate import FOLDER

pytestmark = pytest.mark.slow

ROOT = FOLDER.parent


def build(folder):
    """Build the site of a copy of the documentation, so that nothing is written into this clone."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: make install-dev")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    """The documentation and its configuration."""
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(FOLDER, tmp_path / "docs")
    return tmp_path


def test_every_page_link_and_anchor_is_there(copy):
    built = build(copy)
    assert built.returncode == 0, built.stderr
    assert (copy / ".cache/site/index.html").exists()


@pytest.mark.parametrize("link", ["watch.md#nowhere", "nowhere.md"])
def test_a_broken_link_is_an_error(copy, link):
    with (copy / "docs/index.md").open("a") as page:
        page.write(f"\n[broken]({link})\n")
    built = build(copy)
    assert built.returncode != 0
    assert "nowhere" in built.stderr
