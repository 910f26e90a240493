"""Whatever makes every run impossible is a failure of the doctor: exit code 1."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.doctor import readiness
from chatgenimage.factory.doctor.checks import Gpu, judge_gpus
from tests.loopback import Loopback, lists

pytestmark = [pytest.mark.models, pytest.mark.processes]
"""The doctor imports torch, and libraries are looked for with `ldconfig`."""
CARD = Gpu("A100", 39 * 2**30, 40 * 2**30)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch, tmp_path):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "REDIS_URL", "FACTORY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)  # checkpoints/ of the working folder


def doctor(tmp_path, profile):
    """Return the exit code, and the texts of what is wrong, by finding."""
    words = ["doctor", "--profile", profile, "--json", "--data-dir", str(tmp_path / "data")]
    ended = CliRunner().invoke(app, words)
    found = json.loads(ended.stdout)
    wrong = [(one["name"], one["text"]) for one in found if one["health"] == "wrong"]
    return ended.exit_code, wrong


@pytest.mark.models
def test_a_profile_whose_services_have_no_key_fails(tmp_path):
    code, wrong = doctor(tmp_path, "api")
    assert code == 1
    told = [text for name, text in wrong if name == "endpoint"]
    assert len(told) == 2
    assert all("set OPENAI_API_KEY" in text for text in told)


@pytest.mark.models
def test_models_that_a_run_downloads_are_only_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(readiness, "SPARE_BYTES", -(2**60))  # however small this disk is
    with Loopback(lists("gpt-6-luna", "gpt-image-2")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert doctor(tmp_path, "api") == (0, [])


@pytest.mark.models
def test_models_that_cannot_be_downloaded_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, wrong = doctor(tmp_path, "api")
    assert code == 1
    assert "HF_HUB_OFFLINE is set" in dict(wrong)["checkpoints"]


@pytest.mark.models
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc, which has no space")
def test_a_disk_without_room_for_the_models_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "/proc/hub")
    code, wrong = doctor(tmp_path, "api")
    assert code == 1
    assert "free some space" in dict(wrong)["downloads"]


@pytest.mark.models
def test_a_folder_of_prompts_that_is_not_there_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__PROMPTS_FOLDER", str(tmp_path / "none"))
    code, wrong = doctor(tmp_path, "api")
    assert code == 1
    assert str(tmp_path / "none") in dict(wrong)["prompts"]


@pytest.mark.parametrize(
    ("device", "cards", "part"),
    [
        ("cuda", [], "finds no GPU"),
        ("cuda:1", [CARD], "finds only 1"),
    ],
)
def test_a_card_that_is_not_there_fails(device, cards, part):
    found = judge_gpus(device, cards, "torch 2")
    assert (found.health, part in found.text) == ("wrong", True)
    assert judge_gpus("cuda:0", [CARD], "torch 2").health == "ok"


def test_a_gpu_of_apple_that_is_not_there_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setenv("FACTORY_DEVICE", "mps")
    code, wrong = doctor(tmp_path, "micro")
    assert (code, [name for name, _ in wrong]) == (1, ["device"])
    assert "Set device to auto" in wrong[0][1]


def test_a_database_that_does_not_answer_is_reported_once(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_DATABASE_URL", "postgresql+psycopg://me@127.0.0.1:1/none")
    code, wrong = doctor(tmp_path, "micro")
    assert (code, [name for name, _ in wrong]) == (1, ["database"])
