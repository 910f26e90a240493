"""Licences, prices and pins in `factory models list`, and licences before a pull."""

import os
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import find_profile

DEV = "black-forest-labs/FLUX.1-dev"


@pytest.fixture
def profile(tmp_path):
    """The micro profile with FLUX.1 [dev] from a hub that is not there."""
    content = yaml.safe_load(find_profile("micro").read_text()) | {"device": "cpu"}
    content["families"]["diffusion"]["checkpoint"] = DEV
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def invoke(*words):
    return CliRunner().invoke(app, ["models", *map(str, words)], env={"COLUMNS": "200"})


def test_a_non_commercial_licence_and_a_missing_pin_are_shown(profile):
    shown = invoke("list", profile).stdout
    assert "FLUX.1 [dev] Non-Commercial" in shown
    assert f"{DEV}: no commercial use of the model" in shown
    assert "Not pinned to a commit: diffusion. `factory models pull PROFILE --lock" in shown


@pytest.mark.processes
def test_the_licences_are_printed_before_a_pull_even_if_it_fails(profile, tmp_path):
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(tmp_path / "cache")}
    words = [sys.executable, "-m", "chatgenimage", "models", "pull", str(profile)]
    pulled = subprocess.run(
        words,
        env=os.environ | nobody,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert pulled.returncode == 1
    first, second = pulled.stdout.splitlines()[:2]
    assert first.endswith(f"{DEV}: FLUX.1 [dev] Non-Commercial")
    assert "no commercial use" in second


@pytest.mark.models
def test_the_profile_api_needs_no_device_and_shows_prices():
    needs = {need.key: need for need in list_needs(load_settings("api"))}
    assert needs["diffusion"].price == "0.02 per image"
    assert needs["language"].price == "0.1 sent, 0.5 received per million tokens"
    assert all(need.is_pinned for need in needs.values())
    assert load_settings("api").device == "cpu"
    assert "a service: 0.04 per image" in invoke("list", "api").stdout


def test_a_published_half_precision_checkpoint_is_not_halved_again(tmp_path):
    content = yaml.safe_load(find_profile("micro").read_text()) | {"device": "cpu"}
    content["families"]["diffusion"] |= {"checkpoint": DEV, "dtype": "bfloat16", "offload": "model"}
    path = tmp_path / "half.yaml"
    path.write_text(yaml.safe_dump(content))
    need = next(need for need in list_needs(load_settings(path)) if need.key == "diffusion")
    assert need.device_bytes == pytest.approx(0.71 * need.download_bytes, rel=0.01)
