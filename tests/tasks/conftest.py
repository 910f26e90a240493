import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from factory.app import assemble
from factory.settings import load_settings

WORLD = Path(__file__).parent.parent / "data" / "world"


@pytest.fixture(scope="session")
def micro(tmp_path_factory):
    """Everything that a worker of all roles holds, on the micro checkpoints."""
    settings = load_settings("micro", data_dir=tmp_path_factory.mktemp("micro"), device="cpu")
    return assemble(settings, list(settings.roles), "test@here#1")


@pytest.fixture(scope="session")
def world():
    """Images whose truth is known: by name, the pixels."""
    return {path.stem: np.array(Image.open(path).convert("RGB")) for path in WORLD.glob("*.png")}


@pytest.fixture(scope="session")
def truth():
    """What stands on the images of `world`, by name."""
    return json.loads((WORLD / "truth.json").read_text())
