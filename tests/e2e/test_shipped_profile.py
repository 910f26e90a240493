"""A run with the shipped profile `today` in a real worker, and tiny weights in the hub's cache."""

import pytest
import yaml
from sqlalchemy import select

from chatgenimage.db.models import Candidate
from tests import shipped_profiles
from tests.contract.tiny_hub import COMMIT
from tests.service import service

PROFILE = "today"
RUN = ("run", "dog", "house", "--per-label", "1", "--seed", "1", "--workers", "1")
RECORDED = ("diffusion", "editing", "captioning", "detection", "segmentation")


@pytest.fixture
def call(factory, tmp_path, monkeypatch):
    """A function that calls the factory without a network, with the models of the profile."""
    shipped_profiles.write_weights(tmp_path / "hub", PROFILE)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with service() as server:
        for name, value in shipped_profiles.environment_of(PROFILE, server).items():
            monkeypatch.setenv(name, value)
        yield lambda *words: factory.call(*words, "--profile", PROFILE)


def test_the_profile_makes_an_annotated_dataset(factory, call, tmp_path):
    ended = call(*RUN)
    assert ended.returncode == 0, ended.stderr
    with factory.sessions() as session:
        made = session.scalars(select(Candidate)).all()
        assert {one.origin for one in made} == {"generated", "edited", "filled"}
        accepted = [one for one in made if one.verdict == "accepted"]
        assert any(one.annotations for one in accepted)
        assert {one.model["revision"] for one in made} == {COMMIT}
    exported = call("export", "coco", "--out", str(tmp_path / "coco"), "--run", "1")
    assert exported.returncode == 0, exported.stderr
    card = (tmp_path / "coco" / "README.md").read_text("utf-8")
    assert f"| Tongyi-MAI/Z-Image-Turbo at {COMMIT} | Apache-2.0 |" in card
    families = yaml.safe_load((tmp_path / "coco" / "runs" / "1.yaml").read_text())["families"]
    assert {families[key]["revision"] for key in RECORDED} == {COMMIT}
