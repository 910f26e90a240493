import subprocess
import sys
from importlib import import_module
from typing import get_args

import pytest

from chatgenimage.workers.config import FamilyConfig, GroundingDinoOriginalConfig
from chatgenimage.workers.errors import PackageMissing
from chatgenimage.workers.registry import FAMILIES, load_family

HEAVY = {"torch", "diffusers", "transformers", "open_clip", "segment_anything", "skimage"}


@pytest.mark.processes
@pytest.mark.parametrize(
    "module",
    [
        "values",
        "interfaces",
        "config",
        "errors",
        "registry",
        "weights.local_files",
        "boxes",
        "masks",
        "image_similarity",
    ],
)
def test_nothing_heavy_is_imported_before_a_family_is_loaded(module):
    code = f"import chatgenimage.workers.{module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(loaded.stdout.split())


def test_every_family_that_can_be_set_can_be_loaded():
    assert set(get_args(get_args(FamilyConfig)[0])) == set(FAMILIES)


@pytest.mark.models
@pytest.mark.parametrize(("module", "name"), sorted(set(FAMILIES.values())))
def test_every_family_is_where_the_registry_says(module, name):
    assert callable(getattr(import_module(f"chatgenimage.workers.{module}"), name).load)


@pytest.mark.models
def test_a_family_whose_package_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "chatgenimage.workers.grounding_dino_original", raising=False)
    monkeypatch.setitem(sys.modules, "groundingdino.models", None)
    with pytest.raises(PackageMissing, match=r"models.*pip install '.\[groundingdino"):
        load_family(GroundingDinoOriginalConfig(checkpoint="mine.pth"), "cpu")
