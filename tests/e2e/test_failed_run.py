"""A real run against a language server that takes no question: it says why, and fails."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.asking import ROOT
from benchmarks.device import plugin
from benchmarks.sleeping import profile
from chatgenimage.factory.settings.profiles import CONFIGS
from tests.loopback import Loopback, fails

WORLD = Path(__file__).parent.parent / "data" / "world"
REASON = "This key may not use the model"


@pytest.fixture
def refusing():
    def answer(request):
        return fails(404) if isinstance(request, str) else fails(403, REASON)

    with Loopback(answer) as server:
        yield server


@pytest.fixture
def content(request, tmp_path, refusing, monkeypatch):
    """A profile whose other models sleep: they get no work, and start quickly; or `micro`."""
    if getattr(request, "param", None) == "micro":
        return yaml.safe_load((CONFIGS / "micro.yaml").read_text())
    plugin.install(tmp_path / "site")
    path = os.pathsep.join([str(ROOT), str(tmp_path / "site")])
    monkeypatch.setenv("PYTHONPATH", path)
    return profile(tmp_path, refusing.url, max_concurrency=8)


@pytest.fixture
def call(tmp_path, refusing, content):
    """A function that calls the factory with the refusing server as its language model."""
    content["families"]["language"] = {
        "family": "openai",
        "model": "m",
        "base_url": refusing.url,
        "max_retries": 0,
    }
    profile = tmp_path / "refused.yaml"
    profile.write_text(yaml.safe_dump(content))

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "chatgenimage", *words, "--profile", str(profile)],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_API_KEY": "sk-wrong"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run


def test_a_wrong_key_that_the_list_of_models_shows_stops_before_anything_is_written(
    call, refusing, tmp_path
):
    refusing.replies = [fails(401, "Incorrect API key provided")]
    ended = call("run", "dog", "--per-label", "1")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "refuses the key (401): set OPENAI_API_KEY" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_wrong_key_of_a_server_without_a_list_pauses_the_run(call, refusing):
    wrong = fails(401, "Incorrect API key provided")
    refusing.replies = [lambda request: fails(404) if isinstance(request, str) else wrong]
    ended = call("run", "dog", "--per-label", "1")
    assert ended.returncode == 1
    assert "the server does not accept the key" in ended.stderr + ended.stdout
    told = json.loads(call("status", "1", "--json").stdout)
    assert (told["state"], told["problems"]["quarantined"]) == ("paused", 0)


def test_a_refusal_ends_the_run_with_the_servers_reason_and_exit_code_1(call):
    ended = call("run", "dog", "--per-label", "1")
    assert ended.returncode == 1
    for part in (REASON, "Check OPENAI_API_KEY", "1 of 1 items were given up", "no candidate: dog"):
        assert part in ended.stdout
    assert "factory export" not in ended.stdout
    retried = call("retry", "1")
    assert "1 item of run 1" in retried.stdout
    resumed = call("resume", "1", "--json")
    assert resumed.returncode == 1
    told = json.loads(resumed.stdout)
    assert told["failed"] is True
    assert REASON in told["problems"]["given_up"][0]["reason"]


@pytest.mark.parametrize("content", [pytest.param("micro", id="")], indirect=True)
def test_annotate_whose_pictures_cannot_be_varied_fails_and_says_why(call, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(WORLD / "dog_on_a_beach.png", folder)
    ended = call("annotate", str(folder), "--labels", "dog", "--vary")
    assert ended.returncode == 1
    assert REASON in ended.stdout
    assert "items were given up" in ended.stdout
    told = json.loads(call("status", "1", "--json").stdout)
    assert told["problems"]["given_up"][0]["step"] == "imagine"


def test_a_long_run_is_stopped_when_all_of_its_first_items_fail_alike(
    call, tmp_path, refusing, monkeypatch
):
    sent = tmp_path / "sent.json"
    monkeypatch.setenv("FACTORY_NOTIFY_COMMAND", json.dumps(["tee", str(sent)]))
    labels = [
        "dog",
        "house",
        "tree",
        "car",
        "owl",
        "castle",
        "ball",
        "balloon",
        "bus",
        "frog",
        "panda",
        "crown",
        "clock",
        "tent",
        "gift",
    ]
    ended = call("run", *labels, "--per-label", "64", "--workers", "1")
    assert ended.returncode == 1
    assert "is paused: all of its first" in ended.stderr
    assert REASON in ended.stderr
    assert len(refusing.requests) < 100
    status = call("status", "1", "--json")
    assert json.loads(status.stdout)["state"] == "paused"
    notification = json.loads(sent.read_text())
    assert (notification["event"], notification["state"]) == ("nothing_succeeds", "paused")
    assert REASON in notification["pause_reason"]
