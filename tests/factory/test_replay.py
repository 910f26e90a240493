import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from chatgenimage import open_store
from chatgenimage.db.models import Candidate
from chatgenimage.factory.app import assemble
from chatgenimage.factory.errors import ModelChanged
from chatgenimage.factory.replay import replay
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.workers.interfaces import ImageGenerator
from tests import rows

pytestmark = pytest.mark.models

PROMPTS, SEEDS = ["a dog on a beach", "a dog in a forest", "a dog in a meadow"], [1, 2, 3]


@pytest.fixture
def painted(place):
    """Three images from one batch of the micro model, with their rows."""
    settings = load_settings("micro", data_dir=place.data_dir, device="cpu")
    generator = assemble(settings, ["diffusion"], "test").able(ImageGenerator)
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session))
        for index, image in enumerate(generator.generate(PROMPTS, SEEDS)):
            candidate = rows.add_candidate(place, session, batch, key=f"b0/g{index}")
            candidate.prompt_text, candidate.seed = PROMPTS[index], SEEDS[index]
            candidate.model = asdict(generator.identity)
            candidate.sha256 = place.images.put(image, {})
    return place


def test_the_record_of_an_image_makes_the_same_image_again(painted, tmp_path):
    path = tmp_path / "again.png"
    words = ["replay", "2", "--data-dir", painted.data_dir, "--out", path, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "chatgenimage", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    told = json.loads(done.stdout)
    assert (told["identical"], told["psnr_db"], told["image"]) == (True, 100.0, str(path))
    with painted.sessions() as session:
        kept = painted.images.get(session.get_one(Candidate, 2).sha256)
    assert np.array_equal(np.asarray(Image.open(path)), kept)


def test_a_record_that_was_changed_makes_another_image(painted):
    with painted.sessions.begin() as session:
        session.get_one(Candidate, 2).seed = 99
    with open_store(painted.data_dir) as store:
        again = replay(store, 2)
    assert not again.is_identical
    assert again.psnr_db < 40
    assert again.pass_size == 3


def test_an_image_of_a_server_cannot_be_made_again(painted):
    with painted.sessions.begin() as session:
        candidate = session.get_one(Candidate, 1)
        candidate.model = {**candidate.model, "family": "openai_images"}
    with (
        open_store(painted.data_dir) as store,
        pytest.raises(ModelChanged, match="on a server, which takes no seed"),
    ):
        replay(store, 1)


def test_another_model_is_refused(painted):
    with painted.sessions.begin() as session:
        candidate = session.get_one(Candidate, 1)
        candidate.model = {**candidate.model, "revision": "another"}
    with open_store(painted.data_dir) as store, pytest.raises(ModelChanged, match="@ another"):
        replay(store, 1)
