"""The wheel: what is in it, and that it works next to packages and folders of the same names."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch
from chatgenimage.db.session import engine_of
from tests import rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDERS = ("configs", "db", "factory", "tasks", "workers")
SOURCES = ("LICENSE", "README.md", "chatgenimage", "pyproject.toml", *FOLDERS)
SDIST = "import setuptools.build_meta as build, sys; print(build.build_sdist(sys.argv[1]))"
ASK = """
from chatgenimage import open_store

with open_store({data!r}) as store:
    print(sorted(row.label for row in store.candidates(verdict="accepted", origin="filled")))
"""


def run(words, cwd, **environment):
    """Run a command without this repository on its path; return what it printed."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in words]
    done = subprocess.run(
        words, cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_wheel(source, out):
    """Build a wheel with the setuptools that is installed here; return its path."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    run([sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", out, source], out.parent)
    (wheel,) = out.glob("*.whl")
    return wheel


def names_in(wheel):
    """Return the files of a wheel, without the folder of metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what the package is made of, links kept, as in a fresh clone."""
    folder = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The wheel that is built from a clone."""
    return make_wheel(source, tmp_path_factory.mktemp("wheel"))


def factory_boy():
    """Return where factory_boy is installed, whose package is called `factory`."""
    try:
        return Path(str(distribution("factory_boy").locate_file("")))
    except PackageNotFoundError:
        pytest.skip("factory_boy is not installed: make install-dev")


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment with the wheel, factory_boy and our dependencies.

    The dependencies are those of the tests, by a .pth file: it adds their folder to the path, and
    ignores the .pth files in it, so that the editable installation of this clone is not seen.
    """
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    paths = dict.fromkeys((sysconfig.get_path("purelib"), str(factory_boy())))
    (site / "dependencies.pth").write_text("\n".join(paths))
    interpreter = folder / "bin/python"
    options = ("--quiet", "--no-deps", "--no-index", "--ignore-installed", "--force-reinstall")
    pip = [sys.executable, "-m", "pip", "--python", interpreter, "install", *options]
    run([*pip, wheel], folder)
    return interpreter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Somebody's project: it has packages `db` and `tasks` of its own."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("db", "tasks"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise ImportError('not this one')\n")
    return folder


@pytest.fixture
def data(sqlite_place):
    """A data folder with the accepted family of one dog."""
    with sqlite_place.sessions.begin() as session:
        rows.add_run(session, ("dog",))
        rows.add_family(sqlite_place, session, session.scalars(select(Batch)).one())
    engine_of(sqlite_place.sessions).dispose()
    return sqlite_place.data_dir


def test_the_wheel_has_one_package_with_every_file_of_the_folders(wheel):
    names = names_in(wheel)
    assert {name.partition("/")[0] for name in names} == {"chatgenimage"}
    expected = {
        f"chatgenimage/{path.relative_to(ROOT)}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected - names == set()
    assert {
        "chatgenimage/py.typed",
        "chatgenimage/configs/micro.yaml",
        "chatgenimage/configs/monitoring/alerts.yml",
        "chatgenimage/db/migrations/script.py.mako",
        "chatgenimage/factory/gallery/static/gallery.css",
        "chatgenimage/factory/gallery/templates/runs.html",
        "chatgenimage/workers/checkpoints/micro/blip2/model.safetensors",
        "chatgenimage/workers/llm/prompts/visual_descriptor.txt",
    } <= names


def test_the_wheel_carries_the_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        licences = {name for name in archive.namelist() if "/licenses/" in name}
    assert {name.rpartition("/")[2] for name in licences} == {"LICENSE", "htmx.LICENSE"}


def test_a_source_archive_gives_the_same_wheel(source, wheel, tmp_path):
    archives, unpacked = tmp_path / "sdist", tmp_path / "unpacked"
    archives.mkdir()
    unpacked.mkdir()
    run([sys.executable, "-c", SDIST, archives], source)
    (archive,) = archives.glob("*.tar.gz")
    run(["tar", "-xzf", archive, "-C", unpacked], tmp_path)
    (root,) = unpacked.iterdir()
    again = make_wheel(root, tmp_path / "wheel")
    assert names_in(again) == names_in(wheel)


def test_the_installed_package_is_the_wheel_beside_factory_boy(python, folder):
    where = "import chatgenimage, factory; print(chatgenimage.__file__); print(factory.Faker)"
    first, second = run([python, "-c", where], folder).splitlines()
    assert Path(first).is_relative_to(python.parents[1])
    assert "Faker" in second


@pytest.mark.parametrize(
    "words", [["factory"], ["chatgenimage"], ["python", "-m", "chatgenimage"]], ids=" ".join
)
def test_each_command_says_the_version_of_the_wheel(python, folder, wheel, words):
    version = wheel.name.split("-")[1]
    command = [python.with_name(words[0]), *words[1:], "--version"]
    assert run(command, folder) == f"factory {version}\n"


@pytest.mark.parametrize("words", [["factory"], ["python", "-m", "chatgenimage"]], ids=" ".join)
def test_a_database_is_queried_and_exported(python, folder, data, tmp_path, words):
    command, where = [python.with_name(words[0]), *words[1:]], ["--data-dir", data]
    found = json.loads(run([*command, "query", "--format", "json", *where], folder))
    assert [row["origin"] for row in found] == ["generated", "edited", "filled"]
    out = tmp_path / "dataset"
    assert "3 images" in run([*command, "export", "coco", "--out", out, *where], folder)
    coco = json.loads((out / "annotations/instances_train.json").read_text())
    assert len(coco["images"]) == 3


def test_the_python_interface_is_imported_from_the_package(python, folder, data):
    assert run([python, "-c", ASK.format(data=str(data))], folder) == "['dog']\n"


def test_the_worker_of_a_run_finds_its_own_tasks(python, folder, tmp_path):
    words = ("run", "dog", "--per-label", "1", "--rounds", "0", "--data-dir", tmp_path)
    assert "factory export coco" in run([python.with_name("factory"), *words], folder)
