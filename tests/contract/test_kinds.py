"""Families by capability: what they can do, and what they refuse, for every architecture."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from chatgenimage.workers import interfaces
from chatgenimage.workers.errors import PackageMissing
from chatgenimage.workers.weights.pretrained import load_processor
from tests.contract import kinds
from tests.contract.conftest import ADAPTER, refusal_of

CAPABILITIES = {
    "zero_shot_detector": {interfaces.Detector},
    "mask_generator": {interfaces.Segmenter},
    "sam3": {interfaces.Detector, interfaces.DetectorSegmenter},
    "similarity": {interfaces.ImageTextEncoder},
    "vision_language": {interfaces.Captioner, interfaces.VisualJudge},
}
ONLY = {"florence2": {interfaces.Captioner}}
"""What an architecture can do, if it is less than the others of its family."""
EVERY = {
    value
    for value in vars(interfaces).values()
    if getattr(value, "_is_runtime_protocol", False) and value.__module__ == interfaces.__name__
}


@pytest.mark.parametrize("checkpoint", kinds.kinds(*kinds.SAVERS))
def test_a_family_can_do_what_its_protocols_say_and_no_more(load, checkpoint):
    kind, family = checkpoint
    loaded = load(kind, family)
    expected = ONLY.get(kind, CAPABILITIES[family])
    assert {can for can in EVERY if isinstance(loaded, can)} == expected


@pytest.mark.parametrize("checkpoint", kinds.kinds(*kinds.SAVERS))
def test_a_family_knows_which_weights_it_is(load, checkpoint):
    kind, family = checkpoint
    identity = load(kind, family).identity
    assert identity.family == family
    assert identity.checkpoint.endswith(kind)
    assert len(identity.revision) == 16
    assert json.loads(json.dumps(identity.settings)) == identity.settings


@pytest.mark.parametrize("checkpoint", kinds.kinds(*kinds.SAVERS))
def test_a_checkpoint_without_one_of_its_weights_is_refused(kinds_folder, tmp_path, checkpoint):
    kind, family = checkpoint
    folder = shutil.copytree(kinds.save(family, kind, kinds_folder), tmp_path / kind)
    weights = load_file(folder / "model.safetensors")
    needed = [name for name in weights if "vision_encoder.backbone" in name] or weights
    del weights[max(needed)]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "1 weights are missing" in refusal_of(family, folder)


class NeedsPackage:
    """A processor whose package is not installed."""

    @staticmethod
    def from_pretrained(*_, **__):
        raise ImportError("Package `num2words` is required to run SmolVLM processor.\nInstall it.")


def test_a_package_that_a_processor_needs_is_named():
    config = ADAPTER.validate_python({"family": "vision_language", "checkpoint": "a/b"})
    with pytest.raises(PackageMissing) as missing:
        load_processor(NeedsPackage, config, None)
    said = str(missing.value)
    assert said.startswith("the checkpoint a/b does not load: Package `num2words` is required")
    assert said.endswith("Install it: pip install 'chatgenimage-factory[vision]'")


@pytest.mark.parametrize("family", kinds.SAVERS)
def test_a_checkpoint_of_another_capability_is_refused(family, tmp_path):
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    said = refusal_of(family, tmp_path)
    assert "is a checkpoint of the architecture 'bert'; this family loads" in said
    assert "Name another checkpoint or family" in said
