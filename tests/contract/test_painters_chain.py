"""The steps generate, edit and fill with three families by capability, from a profile's file."""

import dataclasses
import shutil

import numpy as np
import pytest
import yaml
from sqlalchemy import select

from chatgenimage.db.models import Batch, Candidate, Placement, Prompt, Scene, Step
from chatgenimage.db.states import StepState, Verdict
from chatgenimage.factory.app import assemble
from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.checkpoints.smoke_test import image_size_wh
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks import resources
from chatgenimage.tasks.edit import EDIT
from chatgenimage.tasks.fill import FILL
from chatgenimage.tasks.generate import GENERATE
from chatgenimage.tasks.step import run_step
from chatgenimage.workers.interfaces import ImageGenerator, ObjectFiller
from tests import rows

NAMES = ("brainstorm", "generate", "label", "filter", "edit", "fill")
BOX = (16.0, 16.0, 48.0, 40.0)
CARD = "---\nlicense: other\nlicense_name: flux-non-commercial\n---\n# FLUX\n"


@pytest.fixture
def families(painter_folder, tmp_path):
    """Families of a profile: Sana generates and cannot fill."""
    editor = shutil.copytree(painter_folder("FluxKontextPipeline"), tmp_path / "kontext")
    (editor / "README.md").write_text(CARD, encoding="utf-8")
    steps = {"num_inference_steps": 1}
    return {
        "diffusion": {
            "family": "text_to_image",
            "checkpoint": str(painter_folder("SanaPipeline")),
            "size_wh": [96, 64],
            **steps,
        },
        "filling": {
            "family": "inpaint",
            "checkpoint": str(painter_folder("FluxFillPipeline")),
            **steps,
        },
        "editing": {"family": "instruction_edit", "checkpoint": str(editor), **steps},
    }


@pytest.fixture
def write_profile(tmp_path):
    """Return a function that writes a profile and returns its settings."""

    def write_profile(families, **chain):
        roles = {"diffusion": ["diffusion"], "editing": ["editing"]}
        path = tmp_path / "today.yaml"
        path.write_text(yaml.safe_dump({"families": families, "roles": roles, "chain": chain}))
        return load_settings(path, data_dir=tmp_path, device="cpu")

    return write_profile


def finish(session, name):
    """Say that a step is done without running it."""
    session.scalars(select(Step).where(Step.name == name)).one().state = StepState.DONE


def accept_and_imagine(session):
    """Accept every candidate and add a scene for it."""
    for candidate in session.scalars(select(Candidate)):
        candidate.verdict = Verdict.ACCEPTED
        scene = {"background": "a beach", "objects": ["dog"], "description": "a dog"}
        session.add(Scene(candidate_id=candidate.id, index=0, **scene))
    finish(session, "label")
    finish(session, "filter")


def propose_trees(session):
    """Add a placement of a tree for every edited candidate."""
    corners = dict(zip(("x_min", "y_min", "x_max", "y_max"), BOX, strict=True))
    for candidate in session.scalars(select(Candidate).where(Candidate.origin == "edited")):
        what = {"label": "tree", "relationship_text": "next to the dog", **corners}
        session.add(Placement(candidate_id=candidate.id, index=0, **what))


def test_images_are_generated_edited_and_filled_by_three_families(
    place, families, write_profile, tmp_path
):
    settings = write_profile(families)
    worker = assemble(settings, ["diffusion", "editing"], "test@here#1")
    resources.use(
        dataclasses.replace(worker, sessions=place.sessions, images=place.images, models_key=None)
    )
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        rows.add_steps(session, batch, NAMES, done=1)
        texts = ("a dog", "a dog in a forest")
        session.add_all(Prompt(batch_id=batch.id, index=i, text=t) for i, t in enumerate(texts))
        batch_id = batch.id
    run_step(GENERATE, batch_id)
    with place.sessions.begin() as session:
        accept_and_imagine(session)
    run_step(EDIT, batch_id)
    with place.sessions.begin() as session:
        propose_trees(session)
    run_step(FILL, batch_id)
    with place.sessions() as session:
        made = session.scalars(select(Candidate).order_by(Candidate.id)).all()
        origins = {"generated": "text_to_image", "edited": "instruction_edit", "filled": "inpaint"}
        assert [candidate.origin for candidate in made] == [name for name in origins for _ in "12"]
        for candidate in made:
            assert candidate.model["family"] == origins[candidate.origin]
            assert len(candidate.model["revision"]) == 16
            assert (candidate.width_px, candidate.height_px) == (96, 64)
            licence = "flux-non-commercial" if candidate.origin == "edited" else None
            assert candidate.model.get("licence") == licence
        for filled in made[4:]:
            before, after = (place.images.get(one.sha256) for one in (filled.parent, filled))
            outside = np.ones((64, 96), dtype=bool)
            outside[16:40, 16:48] = False
            np.testing.assert_array_equal(before[outside], after[outside])
            assert not np.array_equal(before, after)


def test_the_family_filling_fills_and_without_it_the_one_that_generates(
    families, write_profile, painter_folder
):
    flux = {"checkpoint": str(painter_folder("FluxPipeline"))}
    both = families | {"diffusion": families["diffusion"] | flux}
    worker = assemble(write_profile(both), ["diffusion"], "test@here#1")
    assert worker.able(ObjectFiller).identity.family == "inpaint"
    assert worker.able(ImageGenerator).identity.family == "text_to_image"
    alone = {key: both[key] for key in ("diffusion", "editing")}
    worker = assemble(write_profile(alone), ["diffusion"], "test@here#1")
    assert worker.able(ObjectFiller).identity.family == "text_to_image"


def test_a_role_that_cannot_fill_is_refused_at_its_start(families, write_profile):
    without = {key: families[key] for key in ("diffusion", "editing")}
    with pytest.raises(SettingsError, match=r"can fill. Add 'filling'"):
        assemble(write_profile(without), ["diffusion"], "test@here#1")
    settings = write_profile(without, mode="object")
    assert assemble(settings, ["diffusion"], "test@here#1").families
    wrong = families | {"filling": families["editing"]}
    with pytest.raises(SettingsError, match="instruction_edit cannot fill"):
        assemble(write_profile(wrong), ["diffusion"], "test@here#1")


def test_sizes_and_licences_of_a_profile_come_from_the_files(families, write_profile, tmp_path):
    settings = write_profile(families)
    needs = {need.key: need for need in list_needs(settings)}
    assert set(needs) == set(families)
    files = (tmp_path / "kontext").rglob("*.safetensors")
    weights = sum(file.stat().st_size for file in files)
    assert needs["editing"].download_bytes == weights
    assert 0.8 * weights < needs["editing"].device_bytes <= weights
    assert needs["editing"].licence == "flux-non-commercial"
    assert image_size_wh(settings) == (96, 64)
