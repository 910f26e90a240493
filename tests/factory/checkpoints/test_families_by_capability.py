"""`factory models list`, `pull` and `check` of a profile with families by capability."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.profiles import find_profile
from chatgenimage.workers.trial import try_family
from tests.contract import kinds
from tests.contract.conftest import ADAPTER

pytestmark = pytest.mark.models
CHOSEN = {
    "captioning": ("vision_language", "qwen3_vl"),
    "detection": ("sam3", "sam3_video"),
    "similarity": ("similarity", "siglip"),
}
TRIED = {
    ("vision_language", "qwen3_vl"): "the caption",
    ("zero_shot_detector", "owlv2"): "boxes",
    ("mask_generator", "sam2"): "1 mask",
    ("similarity", "clip"): "a vector of 8",
    ("sam3", "sam3"): "boxes with masks",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture
def profile(root, tmp_path):
    content = yaml.safe_load(find_profile("micro").read_text()) | {"device": "cpu"}
    del content["families"]["segmentation"]
    content["roles"]["labeling"] = ["captioning", "detection"]
    for key, (family, kind) in CHOSEN.items():
        checkpoint = str(kinds.save(family, kind, root))
        content["families"][key] = {"family": family, "checkpoint": checkpoint}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_list_and_pull_know_them(profile):
    done = CliRunner().invoke(app, ["models", "list", str(profile), "--json"])
    assert done.exit_code == 0, done.output
    needs = {need["key"]: need for need in json.loads(done.stdout)}
    for key, (family, _) in CHOSEN.items():
        assert (needs[key]["family"], needs[key]["place"]) == (family, "here")
        assert needs[key]["device_bytes"] > 0
    done = CliRunner().invoke(app, ["models", "pull", str(profile)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(("family", "kind"), TRIED)
def test_check_runs_one_item_through_each(root, family, kind):
    values = {"family": family, "checkpoint": str(kinds.save(family, kind, root))}
    tried = try_family(ADAPTER.validate_python(values), "cpu", (64, 64))
    assert TRIED[family, kind] in tried.made
