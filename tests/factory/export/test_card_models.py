"""Models of an export: the commits that were used, and licences that only their cards have."""

import pytest
import yaml
from sqlalchemy import select

from chatgenimage.db.models import Batch, Run
from tests import rows
from tests.factory.exports import export_as

pytestmark = pytest.mark.models
NAME = "owner/painter-whose-name-is-longer-than-most-cells-of-a-card-have-room-for"
COMMIT = "89abcdef" * 5
PAINTER = {
    "family": "text_to_image",
    "checkpoint": NAME,
    "revision": f"{COMMIT}+0123456789abcdef",  # with LoRA weights
    "licence": "flux-non-commercial",
}
DETECTOR = {"family": "grounding_dino", "checkpoint": "./mine", "revision": "0123456789abcdef"}


@pytest.fixture
def exported(place, out):
    """The folder of an export of a run whose profile pins no commit."""
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        families = run.profile["families"]
        painter = families["diffusion"] | {"family": "text_to_image", "checkpoint": NAME}
        detector = families["detection"] | {"checkpoint": "./mine"}
        changed = {"diffusion": painter, "detection": detector}
        run.profile = run.profile | {"families": families | changed}
        candidate = rows.add_candidate(place, session, session.scalars(select(Batch)).one())
        candidate.model, candidate.labelled_by = PAINTER, {"detector": DETECTOR}
    export_as(place, "webdataset", out)
    with place.sessions() as session:
        stored = session.scalars(select(Run.profile)).one()
        assert stored["families"]["diffusion"]["revision"] is None
    return out


def test_the_profile_of_an_export_pins_the_commits_that_were_used(exported):
    families = yaml.safe_load((exported / "runs" / "1.yaml").read_text())["families"]
    assert families["diffusion"]["revision"] == COMMIT
    assert families["detection"]["revision"] is None  # a folder has no commit


def test_the_card_has_the_commit_and_the_licence_of_the_models_own_card(exported):
    card = (exported / "README.md").read_text("utf-8")
    assert f"| {NAME} at {COMMIT} | flux-non-commercial |" in card


def test_the_condition_of_a_licence_is_not_cut(place, out):
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        painter = run.profile["families"]["diffusion"]
        painter = painter | {"checkpoint": "black-forest-labs/FLUX.1-dev"}
        families = run.profile["families"] | {"diffusion": painter}
        run.profile = run.profile | {"families": families}
        rows.add_candidate(place, session, session.scalars(select(Batch)).one())
    export_as(place, "webdataset", out)
    assert "its terms must be accepted on the hub) |" in (out / "README.md").read_text("utf-8")
