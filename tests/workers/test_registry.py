import subprocess
import sys

import pytest

HEAVY = {"torch", "diffusers", "transformers", "open_clip", "segment_anything", "skimage"}


@pytest.mark.parametrize(
    "module",
    [
        "values",
        "interfaces",
        "config",
        "errors",
        "registry",
        "weights",
        "boxes",
        "masks",
        "fidelity",
    ],
)
def test_nothing_heavy_is_imported_before_a_family_is_loaded(module):
    code = f"import workers.{module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(loaded.stdout.split())
