import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from chatgenimage.db.models import Batch
from chatgenimage.factory.app import assemble
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks import resources
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from tests import rows

WORLD = Path(__file__).parent.parent / "data" / "world"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    """A migrated database of each kind, and an empty image store."""
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def toy_batch(place):
    """A batch in flight whose first step needs no models."""
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        rows.add_steps(session, batch)
    options = DeliveryOptions(max_attempts=3, max_backoff_s=0.0)
    resources.use(Resources(place.sessions, place.images, (), options, "test@here#1"))
    return batch.id


@pytest.fixture(scope="session")
def micro(tmp_path_factory):
    """The resources of a worker for all roles, with the micro checkpoints."""
    settings = load_settings("micro", data_dir=tmp_path_factory.mktemp("micro"), device="cpu")
    return assemble(settings, list(settings.roles), "test@here#1")


@pytest.fixture(scope="session")
def world():
    """Images with known content: pixels by name."""
    return {path.stem: np.array(Image.open(path).convert("RGB")) for path in WORLD.glob("*.png")}


@pytest.fixture(scope="session")
def truth():
    """The objects on the images of `world`, by name."""
    return json.loads((WORLD / "truth.json").read_text())
