"""`factory models list`, `pull` and `check`, against a hub on loopback."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from chatgenimage.factory.app import fetch_checkpoints
from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS, find_profile
from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.weights import download, hub
from chatgenimage.workers.weights.catalog import (
    PUBLISHED_FILES,
    PUBLISHED_REPOSITORIES,
    PublishedFile,
)
from chatgenimage.workers.weights.local_files import BUNDLED_FOLDER
from chatgenimage.workers.weights_config import WeightsConfig
from tests.hub import COMMIT, REPOSITORY, serve

OPEN_CLIP = BUNDLED_FOLDER / "micro" / "open_clip"
WEIGHTS = "open_clip_model.safetensors"
PATIENCE_S = 120
PUBLISHED_PROFILES = sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "micro")


@pytest.fixture
def served(tmp_path):
    """A hub with one repository: an OpenCLIP checkpoint and files that are not needed."""
    folder = shutil.copytree(OPEN_CLIP, tmp_path / "repository")
    for unwanted in ("pytorch_model.bin", "model.safetensors", "open_clip_pytorch_model.fp16.bin"):
        (folder / unwanted).write_bytes(b"not needed")
    with serve(folder) as served:
        yield served


@pytest.fixture
def profile(tmp_path):
    """The micro profile with its encoder from the hub; finding this device needs no torch."""
    content = yaml.safe_load(find_profile("micro").read_text()) | {"device": "cpu"}
    content["families"]["similarity"]["checkpoint"] = REPOSITORY
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def command(served, tmp_path):
    """Returns a `factory models` command and its environment, for a separate process."""
    environment = os.environ | {
        "HF_ENDPOINT": served.url,
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
    }

    def command(*words, **more):
        words = [sys.executable, "-m", "chatgenimage", "models", *map(str, words)]
        return {"args": words, "env": environment | more, "text": True}

    return command


def run(command):
    return subprocess.run(**command, capture_output=True, timeout=300, check=False)


@pytest.mark.processes
def test_pull_downloads_only_the_needed_files(served, profile, command):
    called = run(command("pull", profile, "--json"))
    assert called.returncode == 0, called.stderr
    (pulled,) = [row for row in json.loads(called.stdout) if row["model"] == "similarity"]
    assert pulled["commit"] == COMMIT
    assert set(served.asked) == {path.name for path in OPEN_CLIP.iterdir()}


@pytest.mark.processes
@pytest.mark.parametrize(
    ("family", "checkpoint"),
    [("similarity", REPOSITORY), ("segmentation", "checkpoints/sam_vit_h_4b8939.pth")],
)
def test_pull_without_a_network_says_so_in_one_line(command, tmp_path, family, checkpoint):
    """A hub or a publisher behind a port where nobody listens."""
    content = yaml.safe_load(find_profile("micro").read_text())
    content["families"][family]["checkpoint"] = checkpoint
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    nobody = "http://127.0.0.1:9"
    environment = {"HF_ENDPOINT": nobody, "HTTPS_PROXY": nobody, "https_proxy": nobody}
    called = run(command("pull", tmp_path / "mine.yaml", **environment) | {"cwd": tmp_path})
    assert called.returncode == 1
    assert called.stderr.count("\n") == 1, called.stderr
    assert checkpoint.rpartition("/")[2] in called.stderr
    assert "Traceback" not in called.stdout


@pytest.mark.processes
def test_a_pulled_model_is_listed_and_works_without_the_hub(served, profile, command):
    assert run(command("pull", profile)).returncode == 0
    served.asked.clear()
    offline = {"HF_HUB_OFFLINE": "1"}
    listed = {row["key"]: row for row in json.loads(run(command("list", profile, "--json")).stdout)}
    assert listed["similarity"]["place"] == "here"
    assert listed["similarity"]["revision"] == COMMIT
    checked = run(command("check", profile, "--only", "similarity", "--json", **offline))
    assert checked.returncode == 0, checked.stderr
    (trial,) = json.loads(checked.stdout)
    assert trial["made"] == "a vector of 128"
    assert trial["memory_bytes"] > 0
    assert not served.asked


@pytest.mark.processes
def test_the_lock_names_the_commit_that_was_pulled(served, profile, command, tmp_path):
    lock = tmp_path / "pinned.yaml"
    called = run(command("pull", profile, "--lock", lock))
    assert called.returncode == 0, called.stderr
    before, after = (load_settings(path).families for path in (profile, lock))
    assert after["similarity"].revision == COMMIT
    assert {key for key in before if before[key] != after[key]} == {"similarity"}


@pytest.mark.processes
def test_the_lock_does_not_replace_the_profile(profile, command):
    before = profile.read_text()
    called = run(command("pull", profile, "--lock", profile))
    assert called.returncode != 0
    assert "name another file" in called.stderr
    assert profile.read_text() == before


@pytest.mark.processes
def test_a_broken_download_is_resumed(served, profile, command):
    content = served.files[WEIGHTS] = os.urandom(24 * 2**20)  # the client counts in 10 MiB
    served.break_off = {WEIGHTS}
    called = run(command("pull", profile, "--json"))
    assert called.returncode == 0, called.stderr
    assert served.ranges == [(WEIGHTS, 10 * 2**20)]
    (pulled,) = [row for row in json.loads(called.stdout) if row["model"] == "similarity"]
    assert (Path(pulled["path"]) / WEIGHTS).read_bytes() == content


@pytest.mark.processes
def test_an_interrupted_pull_continues_with_the_missing_files(served, profile, command, tmp_path):
    served.hold = {WEIGHTS}
    whole = {path.name for path in OPEN_CLIP.iterdir()} - {WEIGHTS}
    pulling = subprocess.Popen(
        **command("pull", profile), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with pulling:
        wait_until(lambda: whole <= {path.name for path in (tmp_path / "cache").rglob("*")})
        assert served.is_held.wait(PATIENCE_S)
        pulling.send_signal(signal.SIGKILL)
    served.hold = set()
    served.asked.clear()
    called = run(command("pull", profile))
    assert called.returncode == 0, called.stderr
    assert set(served.asked) == {WEIGHTS}


def wait_until(happened):
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def file(served):
    """A published file on the server: URL, size and hash."""
    content = bytes(range(256)) * 4096
    served.files["big.pth"] = content
    url = f"{served.url}/{REPOSITORY}/resolve/main/big.pth"
    return url, len(content), hashlib.sha256(content).hexdigest()


def test_a_partial_download_of_another_process_is_resumed(served, file, tmp_path):
    url, size, sha256 = file
    path = tmp_path / "checkpoints" / "big.pth"
    path.parent.mkdir()
    path.with_name("big.pth.part").write_bytes(served.files["big.pth"][: size // 4])
    download.fetch_file(url, path, size, sha256)
    assert path.read_bytes() == served.files["big.pth"]
    assert served.ranges == [("big.pth", size // 4)]
    assert list(path.parent.iterdir()) == [path]


def test_concurrent_requests_download_a_file_once(served, file, tmp_path):
    path = tmp_path / "big.pth"
    with ThreadPoolExecutor(4) as pool:
        for fetching in [
            pool.submit(download.fetch_file, file[0], path, *file[1:]) for _ in range(4)
        ]:
            fetching.result()
    assert served.asked["big.pth"] == 1
    assert path.read_bytes() == served.files["big.pth"]


def test_a_worker_downloads_the_files_of_its_role_before_loading(
    served, file, tmp_path, monkeypatch
):
    monkeypatch.setitem(PUBLISHED_FILES, "big.pth", PublishedFile(*file))
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load(find_profile("micro").read_text())
    content["families"]["segmentation"]["checkpoint"] = "checkpoints/big.pth"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    settings = load_settings(tmp_path / "mine.yaml")
    fetch_checkpoints(settings, ["diffusion"])
    assert not served.asked
    fetch_checkpoints(settings, ["labeling"])
    assert (tmp_path / "checkpoints" / "big.pth").read_bytes() == served.files["big.pth"]


def test_a_file_with_a_wrong_hash_is_not_kept(served, file, tmp_path):
    url, size, _ = file
    with pytest.raises(CheckpointNotFound, match="another file than the published one"):
        download.fetch_file(url, tmp_path / "big.pth", size, "0" * 64)
    assert not list(tmp_path.glob("big*"))


def test_a_missing_published_file_is_reported(served, tmp_path):
    with pytest.raises(CheckpointNotFound, match="cannot download"):
        download.fetch_file(f"{served.url}/nowhere", tmp_path / "big.pth", 10, "0" * 64)
    assert not (tmp_path / "big.pth").exists()


@pytest.mark.processes
def test_a_model_that_fails_its_check_says_what_to_do(tmp_path):
    weights = load_file(OPEN_CLIP / WEIGHTS)
    broken = shutil.copytree(OPEN_CLIP, tmp_path / "broken")
    weights.pop(min(weights))
    save_file(weights, broken / WEIGHTS)
    content = yaml.safe_load(find_profile("micro").read_text())
    content["families"]["similarity"]["checkpoint"] = str(broken)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    words = ["models", "check", str(tmp_path / "mine.yaml"), "--only", "similarity"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "similarity     failed: the checkpoint" in result.stdout
    assert "Fetch it again" in result.stdout


@pytest.mark.processes
def test_a_judge_that_cannot_judge_fails_its_check(tmp_path):
    content = yaml.safe_load(find_profile("micro").read_text())
    content["families"]["judging"] = content["families"]["captioning"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    words = ["models", "check", str(tmp_path / "mine.yaml"), "--only", "judging"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "failed: the family blip2 cannot judge; give `families.judging` a model" in result.stdout


@pytest.mark.models
def test_an_unknown_model_is_refused_with_a_list_of_known_ones():
    result = CliRunner().invoke(app, ["models", "check", "micro", "--only", "taste"])
    assert result.exit_code == 2
    assert "no model 'taste'; it has: language, diffusion" in result.stderr


@pytest.mark.parametrize("name", PUBLISHED_PROFILES)
def test_every_published_checkpoint_of_a_profile_is_known_and_pinned(name):
    families = load_settings(name).families.values()
    with_weights = [config for config in families if isinstance(config, WeightsConfig)]
    assert with_weights
    for config in with_weights:
        if hub.is_hub_id(config.checkpoint):
            assert config.checkpoint in PUBLISHED_REPOSITORIES
            assert name.startswith("today") or len(config.revision) == 40
        else:
            assert config.checkpoint.rpartition("/")[2] in PUBLISHED_FILES
