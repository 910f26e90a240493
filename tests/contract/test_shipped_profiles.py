"""Every step of the chain with the shipped profiles, and tiny weights in the hub's cache."""

import dataclasses

import numpy as np
import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch, Candidate, Item
from chatgenimage.db.states import ItemState
from chatgenimage.factory.app import assemble
from chatgenimage.factory.checkpoints.inventory import WeightsLocation, list_needs
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import dump_profile
from chatgenimage.tasks import resources
from chatgenimage.tasks.brainstorm import BRAINSTORM
from chatgenimage.tasks.edit import EDIT, IMAGINE
from chatgenimage.tasks.fill import FILL, PLACE
from chatgenimage.tasks.filter import FILTER
from chatgenimage.tasks.generate import GENERATE
from chatgenimage.tasks.label import LABEL
from chatgenimage.tasks.step import run_step
from tests import rows, shipped_profiles
from tests.contract.tiny_hub import COMMIT
from tests.service import service

PROFILES = ("today", "today-large", "today-small", "api")
STEPS = {
    "brainstorm": BRAINSTORM,
    "generate": GENERATE,
    "label": LABEL,
    "filter": FILTER,
    "imagine": IMAGINE,
    "edit": EDIT,
    "place": PLACE,
    "fill": FILL,
}
JUDGE = {
    "FACTORY_FAMILIES__JUDGING__FAMILY": "vision_language",
    "FACTORY_FAMILIES__JUDGING__CHECKPOINT": "Qwen/Qwen3-VL-8B-Instruct",
    "FACTORY_FAMILIES__JUDGING__MAX_ANSWER_TOKENS": "2",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A folder like the hub's cache with the models of all profiles."""
    cache = tmp_path_factory.mktemp("hub")
    shipped_profiles.write_weights(cache, *PROFILES)
    return cache


@pytest.fixture
def offline(hub, monkeypatch):
    """Let the hub's client look into that folder only; it reads its variables at import."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def server():
    with service() as server:
        yield server


@pytest.fixture
def settings_of(server, tiny_folder, tmp_path, monkeypatch):
    """Return a function that returns a profile's settings, small and with other variables."""

    def settings_of(profile, variables):
        precision = shipped_profiles.precision_of(profile)
        changed = shipped_profiles.environment_of(profile, server) | precision | variables
        if profile == "api":  # its network is as large as a published one if read from a .pth file
            folder = str(tiny_folder / "segment_anything")
            changed["FACTORY_FAMILIES__SEGMENTATION__CHECKPOINT"] = folder
        for name, value in changed.items():
            monkeypatch.setenv(name, value)
        return load_settings(profile, data_dir=tmp_path)

    return settings_of


def run_chain(place, settings):
    """Run every step of a batch of two images with a worker for all roles."""
    worker = assemble(settings, list(settings.roles), "test@here#1")
    places = {"sessions": place.sessions, "images": place.images, "models_key": None}
    resources.use(dataclasses.replace(worker, **places))
    with place.sessions.begin() as session:
        rows.add_run(session, profile=dump_profile(settings))
        batch = session.scalars(select(Batch)).one()
        batch.size = 2
        rows.add_steps(session, batch, rows.SCENE_CHAIN)
        batch_id = batch.id
    for name in rows.SCENE_CHAIN:
        run_step(STEPS[name], batch_id)


@pytest.mark.usefixtures("offline", "small_references")
@pytest.mark.parametrize(
    ("profile", "variables"),
    [("today", {}), ("today-large", JUDGE), ("today-small", {}), ("api", {})],
    ids=["today", "today-large with a judge", "today-small", "api"],
)
def test_every_step_runs_with_the_models_of_a_shipped_profile(
    place, settings_of, profile, variables
):
    settings = settings_of(profile, variables)
    run_chain(place, settings)
    with place.sessions() as session:
        assert not session.scalars(select(Item.error).where(Item.state != ItemState.DONE)).all()
        made = session.scalars(select(Candidate)).all()
        assert {one.origin for one in made} == {"generated", "edited", "filled"}
        assert all(one.verdict for one in made)
        for one in made:
            assert_it_is_known_what_made_it(one, settings.families)
            assert (one.width_px, one.height_px) == (shipped_profiles.SIDE_PX,) * 2
        scores = {score.name for one in made for score in one.scores}
        assert {"clip_similarity", "psnr_db", "ssim", "fill_iou"} <= scores
        assert any(name.startswith("seen_") for name in scores) == bool(variables)
        for filled in (one for one in made if one.origin == "filled"):
            assert_the_outside_is_unchanged(place, filled)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("profile", PROFILES)
def test_all_is_known_of_the_models_of_a_shipped_profile(profile):
    needs = list_needs(load_settings(profile))
    places = {need.key: need.place for need in needs}
    for need in needs:
        assert (need.licence is None) == (need.place == WeightsLocation.SERVICE)
        assert (need.price is None) == (need.place != WeightsLocation.SERVICE)
        if need.place == WeightsLocation.HERE:
            pinned = shipped_profiles.families_in(profile)[need.key].get("revision")
            assert need.revision == (pinned or COMMIT)
            assert need.download_bytes > 100e6
            assert need.device_bytes > 0
    absent = [key for key, place in places.items() if place == WeightsLocation.ABSENT]
    assert absent == (["segmentation"] if profile == "api" else [])  # a file outside the hub


def test_weights_that_are_published_in_float32_take_half_on_a_gpu():
    [need] = [need for need in list_needs(load_settings("today")) if need.key == "diffusion"]
    assert need.download_bytes == pytest.approx(32.8e9)  # as published
    assert need.device_bytes == pytest.approx(12.3e9)  # the denoiser alone, in bfloat16


def assert_it_is_known_what_made_it(candidate, families):
    """Check the recorded models against the profile."""
    keys = {"generated": "diffusion", "edited": "editing", "filled": "filling"}
    painter = families.get(keys[candidate.origin]) or families["diffusion"]
    named = painter.model_dump()
    assert candidate.model["checkpoint"] == named.get("checkpoint", named.get("model"))
    assert set(candidate.labelled_by) == {"captioner", "detector", "segmenter"}
    for model in (candidate.model, *candidate.labelled_by.values()):
        if "/" in model["checkpoint"] and not model["checkpoint"].startswith("/"):
            assert len(model["revision"]) == 40
            assert model["licence"]


def assert_the_outside_is_unchanged(place, filled):
    before, after = (place.images.get(one.sha256) for one in (filled.parent, filled))
    x_min, y_min, x_max, y_max = filled.placement.box_xyxy
    outside = np.ones(before.shape[:2], dtype=bool)
    outside[int(y_min) : int(np.ceil(y_max)), int(x_min) : int(np.ceil(x_max))] = False
    np.testing.assert_array_equal(before[outside], after[outside])
    assert not np.array_equal(before, after)
