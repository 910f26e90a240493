"""Sums of device memory from the published sizes, and the warning of a worker's start."""

from types import SimpleNamespace

import pytest
import torch
from structlog.testing import capture_logs
from typer.testing import CliRunner

from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.checkpoints.memory import needed_bytes, needs_of, warn_if_short
from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings

GIB = 1 << 30
DRIVER_BYTES = GIB // 2


def needs(profile):
    return list_needs(load_settings(profile, device="cuda"))


@pytest.mark.parametrize(("profile", "card_gib"), [("sd15", 24), ("sdxl", 16), ("lite", 8)])
def test_a_profile_fits_the_card_that_it_names(profile, card_gib):
    assert needed_bytes(needs(profile)) + DRIVER_BYTES < card_gib * GIB


def test_resident_weights_are_added_and_the_work_of_one_model_at_a_time():
    labeling = needs_of(needs("sd15"), ["labeling"])
    weights = 14_979_207_136 // 2 + 933_400_872 + 2_564_550_879 // 2
    assert needed_bytes(labeling) == weights + 3_270_000_000


def test_an_offloaded_model_needs_memory_only_while_it_works():
    editing = needs_of(needs("lite"), ["editing"])
    both = needs_of(needs("lite"), ["editing", "diffusion"])
    similarity = 605_143_316
    assert needed_bytes(both) == needed_bytes(editing) + similarity
    assert needed_bytes(editing) == int(4_270_000_000 * 0.81) * 2 // 4 + 1_030_000_000


def test_the_largest_size_that_a_label_asks_for_counts():
    usual = needed_bytes(needs_of(needs("sd15"), ["diffusion"]))
    chain = {"sizes": {"dog": [256, 256], "bus": [1024, 512]}}
    wider = list_needs(load_settings("sd15", device="cuda", chain=chain))
    [painter] = [need for need in needs("sd15") if need.key == "diffusion"]
    assert needed_bytes(needs_of(wider, ["diffusion"])) == usual + painter.work_bytes


@pytest.fixture
def card(monkeypatch):
    """One card of 24 GiB, as torch would report it."""
    properties = SimpleNamespace(total_memory=24 * GIB)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: properties)


def warnings_of(roles, share, **settings):
    settings = load_settings("sd15", device="cuda", device_memory_share=share, **settings)
    with capture_logs() as logs:
        warn_if_short(settings, roles)
    return logs


@pytest.mark.usefixtures("card")
def test_a_share_that_is_too_small_is_said_at_the_start():
    (warning,) = warnings_of(["labeling"], 0.5)
    assert (warning["event"], warning["log_level"]) == ("memory_short", "warning")
    assert (warning["needed_gb"], warning["available_gb"]) == (13.0, 12.9)
    assert "device_memory_share" in warning["advice"]
    assert warnings_of(["labeling"], 0.52) == []
    assert warnings_of(["language"], 0.01) == []


def test_the_list_of_models_ends_with_the_sums():
    listed = CliRunner().invoke(app, ["models", "list", "sd15"])
    last = listed.stdout.strip().splitlines()[-1]
    assert "17.85 GB in one worker for all roles" in last
    assert "labeling 12.98 GB" in last
    assert "calculated" not in CliRunner().invoke(app, ["models", "list", "--json"]).stdout
