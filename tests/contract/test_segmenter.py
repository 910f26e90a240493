import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry

from chatgenimage.testing import CHECKS
from chatgenimage.workers.config import SegmentAnythingConfig
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.interfaces import Segmenter
from chatgenimage.workers.sam import SegmentAnything, meta_model_of
from tests.contract.checkpoints import checkpoints
from tests.contract.kinds import kinds

BOXES = [(4.0, 6.0, 40.0, 50.0), (0.0, 0.0, 64.0, 61.0), (30.5, 30.5, 33.0, 34.0)]


@pytest.fixture(params=[*checkpoints("segment_anything"), *kinds("mask_generator")])
def segmenter(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[Segmenter], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(segmenter, check):
    check(segmenter)


@pytest.mark.parametrize("checkpoint", checkpoints("segment_anything"))
def test_the_masks_are_those_of_metas_predictor(load, checkpoint, images):
    segmenter = load(*checkpoint)
    predictor = SamPredictor(segmenter._sam)  # noqa: SLF001  (the very same network)
    predictor.set_image(images[1])
    expected, _, _ = predictor.predict(box=np.array(BOXES[0]), multimask_output=False)
    ((mask,),) = segmenter.segment(images[1:2], [BOXES[:1]])
    np.testing.assert_array_equal(mask, expected[0])


@pytest.mark.parametrize("model", ["vit_b", "vit_l", "vit_h"])
def test_metas_checkpoints_are_told_apart_by_their_width(model):
    with torch.device("meta"):
        state = sam_model_registry[model]().state_dict()
    assert meta_model_of(state) == model


def test_a_pth_file_of_another_network_is_refused():
    with pytest.raises(CheckpointBroken, match=r"config\.json"):
        meta_model_of({"image_encoder.patch_embed.proj.weight": torch.zeros(16, 3, 16, 16)})


def test_a_pth_file_as_meta_publishes_it_is_what_was_saved(tmp_path):
    saved = sam_model_registry["vit_b"]().state_dict()
    torch.save(saved, tmp_path / "sam_vit_b_01ec64.pth")
    config = SegmentAnythingConfig(checkpoint=str(tmp_path / "sam_vit_b_01ec64.pth"))
    loaded = SegmentAnything.load(config, "cpu")._sam.state_dict()  # noqa: SLF001
    assert loaded.keys() == saved.keys()
    for name, value in loaded.items():
        assert torch.equal(value, saved[name]), name
