"""The checks before anything is downloaded or submitted."""

import importlib.util
import socket

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.doctor import readiness
from chatgenimage.factory.doctor.readiness import check_ready, downloads_of, prepare
from chatgenimage.factory.errors import NotReady
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.workers import registry
from tests.loopback import Loopback, fails

HUB_MODEL = {
    "family": "open_clip",
    "checkpoint": "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    "dtype": "float32",
}
SPEAKS = {"family": "openai", "model": "m", "base_url": None}


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    for name in ("REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def settings(tmp_path):
    """Return a function: the micro profile with other families, in a data folder of its own."""

    def load(device="cpu", **families):
        place = {"data_dir": tmp_path / "data", "device": device}
        return load_settings("micro", **place, families=families)

    return load


def problems_of(loaded, *roles, **options):
    with pytest.raises(NotReady) as caught:
        check_ready(loaded, roles or list(loaded.roles), **options)
    return caught.value.problems


def test_the_tiny_models_are_ready_and_nothing_is_left_in_the_data_folder(settings, tmp_path):
    assert prepare(settings(), list(settings().roles)) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.models
def test_key_device_and_broker_are_reported_together_and_nothing_is_written(
    settings, tmp_path, monkeypatch
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
    key, device, broker = problems_of(settings("cuda:7", language=SPEAKS))
    assert key.startswith("no key for m: set OPENAI_API_KEY")
    assert device.startswith("there is no cuda:7")
    assert f"127.0.0.1:{port}" in broker
    assert not (tmp_path / "data").exists()


def test_a_key_that_several_families_lack_is_reported_once(settings):
    paints = {"family": "openai_images", "model": "m"}
    loaded = settings(language=SPEAKS, diffusion=paints, editing=paints)
    [problem] = problems_of(loaded)
    assert problem.startswith("no key for m: set OPENAI_API_KEY")


def test_a_server_that_several_families_ask_is_asked_once(settings):
    with Loopback(fails(401, "wrong key")) as server:
        asked = SPEAKS | {"base_url": server.url, "api_key": "sk-wrong"}
        paints = asked | {"family": "openai_images"}
        loaded = settings(language=asked, diffusion=paints, editing=paints, similarity=HUB_MODEL)
        [_problem] = problems_of(loaded)
        assert len(server.requests) == 1


def test_packages_come_first_with_the_command_that_installs_them(settings, monkeypatch):
    known = importlib.util.find_spec
    absent = {"torch", "diffusers"}
    monkeypatch.setattr(
        f"{registry.__name__}.find_spec", lambda name: None if name in absent else known(name)
    )
    [problem] = problems_of(settings(language=SPEAKS))
    assert problem == "not installed: torch, diffusers. Install with `pip install '.[gpu]'`."


def test_a_disk_that_is_too_small_for_the_downloads_is_refused(settings, monkeypatch):
    loaded = settings(similarity=HUB_MODEL)
    [wanted] = downloads_of(loaded, ["scoring"])
    assert wanted > 10**8
    usage = type("Usage", (), {"free": wanted})
    monkeypatch.setattr(f"{readiness.__name__}.shutil.disk_usage", lambda _: usage)
    [problem] = problems_of(loaded, "scoring")
    assert problem.startswith("the models of these roles are a download of 0.6 GB, and 0.6 GB are")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    "missing", [{}, {"similarity": HUB_MODEL}], ids=["no_download", "download"]
)
def test_a_wrong_key_is_reported_before_the_run_also_without_a_download(settings, missing, waits):
    with Loopback(fails(401, "wrong key")) as server:
        spoken = SPEAKS | {"base_url": server.url, "api_key": "sk-wrong"}
        loaded = settings(language=spoken, **missing)
        [problem] = problems_of(loaded, "language", "scoring", waits=waits)
    assert "refuses the key (401): set OPENAI_API_KEY" in problem


def test_a_server_that_is_busy_is_a_problem_only_before_a_download(settings):
    with Loopback(fails(503)) as server:
        spoken = SPEAKS | {"base_url": server.url, "api_key": "sk-a"}
        assert check_ready(settings(language=spoken), ["language", "scoring"]) == []
        loaded = settings(language=spoken, similarity=HUB_MODEL)
        [problem] = problems_of(loaded, "language", "scoring")
    assert "answers 503" in problem


def test_nothing_is_printed_about_a_server_without_a_list(settings, capsys):
    for reply in (fails(404), fails(503)):
        with Loopback(reply) as server:
            spoken = SPEAKS | {"base_url": server.url, "api_key": "sk-a"}
            assert check_ready(settings(language=spoken), ["language"]) == []
    assert capsys.readouterr() == ("", "")  # --json has stdout for itself


def test_a_worker_waits_for_its_broker_and_does_not_look_for_it(settings, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert check_ready(settings(), list(settings().roles), waits=True) == []


def test_factory_run_says_it_in_one_line_before_it_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__FAMILY", "openai")
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__MODEL", "m")
    place = ["--data-dir", str(tmp_path / "data")]
    ended = CliRunner().invoke(app, ["run", "dog", *place])
    assert ended.exit_code == 2
    assert ended.stderr.startswith("no key for m: set OPENAI_API_KEY")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
