"""The doctor's check of memory: each role's sum, what a worker may use, and whether it fits."""

from types import SimpleNamespace

import pytest
import torch

from chatgenimage.factory.doctor.memory import look_at_memory
from chatgenimage.factory.settings.model import load_settings

GIB = 1 << 30


@pytest.fixture
def card(monkeypatch):
    """One card of 24 GiB, as torch would report it."""
    properties = SimpleNamespace(total_memory=24 * GIB)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: properties)


@pytest.mark.usefixtures("card")
def test_a_role_that_does_not_fit_its_share_of_the_card_is_a_warning():
    short = look_at_memory(load_settings("sd15", device="cuda:0", device_memory_share=0.5))
    assert short.health == "warning"
    assert "12.9 GB (0.5 of cuda:0's 25.8 GB)" in short.text
    assert "diffusion 3.8 GB fits" in short.text
    assert "labeling 13.0 GB does not fit" in short.text
    assert "device_memory_share" in short.text


@pytest.mark.usefixtures("card")
def test_roles_that_fit_are_ok_even_if_one_worker_for_all_does_not():
    found = look_at_memory(load_settings("sd15", device="cuda", device_memory_share=0.52))
    assert found.health == "ok"
    assert "labeling 13.0 GB fits" in found.text
    assert "all roles in one worker 17.9 GB does not fit" in found.text


def test_without_a_gpu_the_free_memory_of_the_machine_counts():
    small, micro = load_settings("sd15", device="cpu"), load_settings("micro", device="cpu")
    found = look_at_memory(small, lambda: 2 * GIB)
    assert found.health == "warning"
    assert "2.1 GB (free memory of this machine)" in found.text
    assert look_at_memory(micro, lambda: 2 * GIB).health == "ok"
    assert look_at_memory(micro, lambda: None) is None


def test_a_device_that_does_not_exist_is_left_to_the_finding_about_it():
    assert look_at_memory(load_settings("sd15", device="cuda:7")) is None
