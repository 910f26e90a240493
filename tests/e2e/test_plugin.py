"""The example plug-in is installed and used as built-in parts are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Candidate, Run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin"
LABELS = '[dog]\nper_label = 2\n[tree]\nper_label = 1\nsize = "96x48"\n'
INSTALL = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target")


def copy_sources(to):
    """Copy the example: a build writes into its source."""
    for path in EXAMPLE.rglob("*"):
        if path.suffix in {".py", ".toml", ".yaml", ".md"} and "build" not in path.parts:
            target = to / path.relative_to(EXAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return to


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed example."""
    folder = tmp_path_factory.mktemp("plugin")
    source, site = copy_sources(folder / "source"), folder / "site"
    subprocess.run([sys.executable, "-m", "pip", *INSTALL, site, source], check=True, timeout=300)
    return site


@pytest.fixture
def profile(installed, tmp_path, monkeypatch):
    """The profile of a copy of the installed example, which child processes can import."""
    site = shutil.copytree(installed, tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(site)]))
    return site / "chatgenimage_blocks" / "blocks.yaml"


def test_a_plugin_paints_filters_exports_and_reads_labels(factory, profile, tmp_path):
    (tmp_path / "labels.toml").write_text(LABELS)
    place = ("--profile", str(profile))
    made = factory.call_json("run", "--file", tmp_path / "labels.toml", "--workers", "1", *place)
    assert (made["made"]["generated"], made["made"]["filled"]) == (3, 3)
    assert made["problems"]["quarantined"] == 0
    with factory.sessions() as session:
        run = session.get_one(Run, 1)
        assert run.profile["plugins"] == {"chatgenimage-blocks": "0.1.0"}
        made = session.scalars(select(Candidate)).all()
        assert {(one.width_px, one.height_px) for one in made} == {(64, 64), (96, 48)}
        scores = [
            {score.name: score.threshold for score in candidate.scores}
            for candidate in session.scalars(select(Candidate))
        ]
    assert {score.get("colourfulness") for score in scores} == {5.0}
    assert_used_like_built_in_parts(factory, place, tmp_path / "out")
    (tmp_path / "other.toml").write_text('[dog]\nnegative_prompt = "snow"\n')
    refused = factory.call("submit", "--file", tmp_path / "other.toml", *place)
    assert "label 'dog': `negative_prompt` has no effect: blocks have none" in refused.stderr


def assert_used_like_built_in_parts(factory, place, out):
    done = factory.call_json("export", "json-lines", "--out", out, "--run", "1", *place)
    lines = (out / "train.jsonl").read_text().splitlines()
    assert len(lines) == done["images"] > 0
    assert {"dog", "tree"} >= {json.loads(line)["label"] for line in lines}
    assert "json-lines" in factory.call("export", "--help").stdout
    plugins = [one for one in factory.call_json("doctor", *place) if one["name"] == "plug-ins"]
    assert "family blocks (chatgenimage-blocks 0.1.0)" in plugins[0]["text"]
    judged = factory.call("refilter", "1", "--set", "colourfulness=1000", "--yes", *place)
    assert "colourless" in judged.stdout + judged.stderr


ANNOTATE = """
import sys
from pathlib import Path

from PIL import Image

from chatgenimage import annotate, watch
from chatgenimage_blocks.blocks import Blocks
from chatgenimage_blocks.settings import BlocksConfig

folder, profile, data_dir = map(Path, sys.argv[1:])
folder.mkdir()
(image,) = Blocks.load(BlocksConfig(), "cpu").generate(["a dog next to a car"], [1])
Image.fromarray(image).save(folder / "one.png")
place = {"profile": str(profile), "data_dir": data_dir}
done = annotate(folder, ["dog", "car"], workers=1, show=False, **place)
(row,) = done.candidates()
print(done.pictures.added, row.verdict, *sorted(found.label for found in row.annotations))
print(watch(wait=False, **place).state, done.has_failed, "data:image" in done._repr_html_())
"""


def test_own_pictures_are_annotated_from_python(profile, tmp_path):
    arguments = [tmp_path / "pictures", profile, tmp_path / "data"]
    done = subprocess.run(
        [sys.executable, "-c", ANNOTATE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.splitlines() == ["1 accepted car dog", "done False True"], done.stderr
    assert done.stderr == ""


def test_the_plugin_s_own_tests_pass(profile, tmp_path):
    words = ("-q", "-c", os.devnull, "--rootdir", tmp_path, "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, EXAMPLE / "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


def test_a_broken_plugin_ends_a_command_with_one_line(factory, profile, tmp_path):
    (profile.parent / "settings.py").write_text("import no_such_library\n")
    (profile.parent / "colourfulness.py").write_text("COLOURFULNESS = 5\n")
    called = factory.call("submit", "dog")
    assert called.returncode == 2
    assert called.stderr.count("\n") == 1
    assert "the family 'blocks' of the package chatgenimage-blocks 0.1.0 cannot be used" in (
        called.stderr
    )
    (profile.parent / "settings.py").write_bytes(
        (EXAMPLE / "chatgenimage_blocks" / "settings.py").read_bytes()
    )
    called = factory.call("submit", "dog")
    assert called.returncode == 2
    assert "the filter rule 'colourfulness'" in called.stderr
    assert "expected an ImageRule" in called.stderr
