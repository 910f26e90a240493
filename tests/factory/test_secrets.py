"""Secrets of addresses and private files: looked for in everything that a real run leaves."""

import io
import json
import os
import socket
import stat
import subprocess
import sys

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from chatgenimage.db.models import Run
from chatgenimage.db.session import connect, engine_of
from chatgenimage.factory.broker.embedded_redis import find_server
from chatgenimage.factory.cli import app
from chatgenimage.factory.gallery.pictures import Thumbnails
from chatgenimage.factory.settings.profiles import CONFIGS
from tests import s3
from tests.factory.sleeping_runs import wait_for
from tests.loopback import Loopback, fails, says
from tests.ports import free_port

PLACES = ("on grass", "on sand", "in snow", "in a field", "at night", "on a road")
SECRETS = (s3.SECRET, "hushUser", "hushWord", "hushKey", "hushDatabase", "hushBroker")
OUTPUTS = (
    ("migrate",),
    ("status", "1"),
    ("status", "1", "--json"),
    ("watch", "1"),
    ("doctor",),
    ("doctor", "--json"),
    ("retry", "1"),
    ("report", "1", "--out", "report.html"),
    ("query", "--format", "json"),
    ("models", "list"),
)
CALL_EACH = """
import json, sys
from typer.testing import CliRunner
from chatgenimage.factory.cli import app
outputs = [CliRunner().invoke(app, words).output for words in json.loads(sys.argv[1])]
print(json.dumps(outputs))
"""


@pytest.fixture
def broker():
    """The address of a Redis that asks for a password."""
    port = free_port()
    words = [find_server(), "--port", str(port), "--requirepass", "hushBroker", "--save", ""]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    wait_for(lambda: listens(port))
    yield f"redis://:hushBroker@127.0.0.1:{port}/0"
    server.kill()
    server.wait()


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class PickyServer:
    """Writes prompts that the micro models understand, or refuses the questions."""

    def __init__(self):
        self.refuses = True

    def __call__(self, request):
        if isinstance(request, str):
            return fails(404)
        if self.refuses:
            return fails(403, "no such key")
        if "visual features" in request["messages"][-1]["content"]:
            return says('{"features": ["brown fur"]}')
        return says(json.dumps({"prompts": [f"a dog {place}" for place in PLACES]}))


@pytest.fixture
def picky():
    return PickyServer()


@pytest.fixture
def language_server(picky):
    with Loopback(picky) as server:
        yield server


@pytest.fixture
def environment(tmp_path, postgres, broker, language_server, monkeypatch):
    """What names a place whose every address holds a secret."""
    content = yaml.safe_load((CONFIGS / "micro.yaml").read_text())
    scheme, _, rest = language_server.url.partition("://")
    content["families"]["language"] = {
        "family": "openai",
        "model": "m",
        "base_url": f"{scheme}://hushUser:hushWord@{rest}?api-key=hushKey",
        "max_retries": 0,
        "check_model": False,  # it refuses the key; the steps shall meet that
    }
    profile = tmp_path.parent / f"{tmp_path.name}.yaml"  # outside of what is looked through
    profile.write_text(yaml.safe_dump(content))
    postgres.execute("CREATE DATABASE secrets")
    values = {
        "FACTORY_PROFILE": str(profile),
        "FACTORY_DATA_DIR": str(tmp_path / "data"),
        "FACTORY_DATABASE_URL": f"{postgres.url('secrets')}&password=hushDatabase",
        "REDIS_URL": broker,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield values
    postgres.execute("DROP DATABASE secrets WITH (FORCE)")


def call(*words):
    """Run a command in a process of its own, whose connections end with it."""
    return run_python("-m", "chatgenimage", *words)


def run_python(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def outputs_of(commands):
    """Return what each command prints; they share a process, because each import takes seconds."""
    called = run_python("-c", CALL_EACH, json.dumps(commands))
    assert called.returncode == 0, called.stderr
    return [*json.loads(called.stdout), called.stderr]


def held_in(text):
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.processes
def test_no_output_and_no_file_of_a_run_holds_a_secret_of_an_address(
    environment, tmp_path, language_server, postgres
):
    ran = call("run", "dog", "--per-label", "1")
    assert ran.returncode == 1, ran.stderr
    assert language_server.requests  # the address worked
    assert not held_in(ran.stdout + ran.stderr)
    resumed = call("resume", "1")
    assert not held_in(resumed.stdout + resumed.stderr)
    assert resumed.stdout + resumed.stderr
    *printed, errors = outputs_of(OUTPUTS)
    assert not held_in(errors)
    for output, text in zip(OUTPUTS, printed, strict=True):
        assert text, output
        assert not held_in(text), output
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not held_in(path.read_bytes().decode(errors="replace")), path
    sessions = connect(postgres.url("secrets"))
    with sessions() as session:
        frozen = session.get_one(Run, 1).profile
    engine_of(sessions).dispose()
    assert "127.0.0.1" in str(frozen)
    assert not held_in(str(frozen))


@pytest.mark.models
@pytest.mark.processes
def test_no_file_of_an_exported_dataset_holds_a_secret_of_an_address(
    environment, tmp_path, picky, s3_server, monkeypatch
):
    picky.refuses = False
    monkeypatch.setenv("FACTORY_IMAGE_STORE_URL", f"s3://{s3.BUCKET}/images")
    monkeypatch.setenv("FACTORY_IMAGE_STORE_ENDPOINT", s3_server.endpoint)
    monkeypatch.setenv("FACTORY_CHAIN__ROUNDS", "0")
    ran = call("run", "dog", "--per-label", "6")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for layout in ("coco", "webdataset", "yolo-detect"):
        made = call("export", layout, "--out", layout)
        assert made.returncode == 0, made.stderr
        assert not held_in(made.stdout + made.stderr)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {tmp_path / "coco" / "runs" / "1.yaml", tmp_path / "coco" / "README.md"} <= {*files}
    for path in files:
        assert not held_in(path.read_bytes().decode(errors="replace")), path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FACTORY_DATABASE_URL", "postgresql+psycopg://me:hushWord@127.0.0.1:1/x?password=hushKey"),
        ("FACTORY_DATABASE_URL", "postgresql+psycopg://me:hushWord@127.0.0.1:port/x"),
        ("FACTORY_DATABASE_URL", "nothing://me:hushWord@127.0.0.1/x?password=hushKey"),
        ("REDIS_URL", "redis://:hushWord@127.0.0.1:1/0"),
        ("REDIS_URL", "redis://:hush/hushWord@127.0.0.1:1/0"),
        ("REDIS_URL", "redis://127.0.0.1:1/0?password=hushWord"),
        ("REDIS_URL", "amqp://me:hushWord@127.0.0.1:1//"),
        ("FACTORY_IMAGE_STORE_URL", "s3://hushKey:hushWord@bucket/images"),
        ("FACTORY_IMAGE_STORE_ENDPOINT", "http://127.0.0.1:1/?key=hushWord"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_one_line_without_its_secret(
    monkeypatch, tmp_path, name, value
):
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("FACTORY_DATA_DIR", str(tmp_path / "data"))
    result = CliRunner().invoke(app, ["run", "dog", "--per-label", "1"])
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1
    assert not held_in(result.output)


def test_a_new_data_folder_is_for_its_owner_alone(monkeypatch, tmp_path):
    monkeypatch.delenv("FACTORY_DATABASE_URL", raising=False)
    old = os.umask(0o022)
    try:
        done = CliRunner().invoke(app, ["submit", "dog", "--data-dir", str(tmp_path / "data")])
    finally:
        os.umask(old)
    assert done.exit_code == 0, done.output
    assert mode_of(tmp_path / "data") == 0o700
    files = [path for path in (tmp_path / "data").iterdir() if path.is_file()]
    assert {mode_of(path) for path in files} == {0o600}


@pytest.mark.models
@pytest.mark.parametrize(
    "words", [("report", "1"), ("contact-sheet",), ("thresholds", "1")], ids=" ".join
)
def test_what_commands_write_is_private_in_the_data_folder_and_nowhere_else(
    filled_place, tmp_path_factory, words
):
    """The data folder may be an older one, which others may enter."""
    data_dir = filled_place.data_dir
    before, elsewhere = set(data_dir.iterdir()), tmp_path_factory.mktemp("out")
    old = os.umask(0o022)
    try:
        for out in ([], ["--out", str(elsewhere / "written.png")]):
            done = CliRunner().invoke(app, [*words, "--data-dir", str(data_dir), *out])
            assert done.exit_code == 0, done.output
    finally:
        os.umask(old)
    written = set(data_dir.iterdir()) - before
    assert written
    assert {mode_of(path) for path in written} == {0o600}
    assert {mode_of(path) for path in elsewhere.iterdir()} == {0o644}


def test_thumbnails_are_private(tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (300, 300)).save(picture, format="PNG")
    Thumbnails(tmp_path / "thumbnails").get("0" * 64, picture.getvalue)
    assert [mode_of(path) for path in (tmp_path / "thumbnails").iterdir()] == [0o600]


def test_stored_images_are_private_in_the_data_folder_and_nowhere_else(tmp_path):
    import numpy as np

    from chatgenimage.factory.image_store import open_images
    from chatgenimage.factory.settings.model import load_settings

    pixels = np.zeros((4, 4, 3), np.uint8)
    own = open_images(load_settings("micro", data_dir=tmp_path))
    shared = open_images(load_settings("micro", image_store_url=str(tmp_path / "shared")))
    assert mode_of(own.path_of(own.put(pixels, {}))) == 0o600
    assert mode_of(shared.path_of(shared.put(pixels, {}))) == 0o666 & ~_umask()


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116  # a path as fsspec has it


def _umask():
    current = os.umask(0)
    os.umask(current)
    return current
