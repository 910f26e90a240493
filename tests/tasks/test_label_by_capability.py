"""The label step with families by capability, on tiny random checkpoints."""

from types import SimpleNamespace

import numpy as np
import pytest

from chatgenimage.tasks import label
from chatgenimage.tasks.label import LabelInput
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers import boxes, masks
from chatgenimage.workers.registry import load_family
from tests.contract import kinds
from tests.contract.conftest import ADAPTER

pytestmark = pytest.mark.models
NAMES = ("dog", "house", "car")
PIXELS = np.random.default_rng(0).integers(0, 256, (61, 67, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    """Return a function that returns the resources of a worker with these families."""
    root = tmp_path_factory.mktemp("kinds")

    def resources(**architectures):
        families = {}
        for family, (kind, settings) in architectures.items():
            checkpoint = str(kinds.save(family, kind, root))
            values = {"family": family, "checkpoint": checkpoint, **settings}
            families[family] = load_family(ADAPTER.validate_python(values), "cpu")
        images = SimpleNamespace(get=lambda _: PIXELS)
        return Resources(None, images, list(families.values()), None, "test")

    return resources


def label_two(resources, **options):
    subject = LabelInput(1, "0", NAMES, ChainOptions(caption_nouns=False, **options))
    return label.compute(resources, [subject, subject])


def families_of(labels):
    return {role: identity["family"] for role, identity in labels.labelled_by.items()}


def check(labels):
    assert labels.detections
    assert {one.label for one in labels.detections} <= set(NAMES)
    for annotation in label.to_annotations(label.encode_masks(labels)):
        mask = masks.decode(annotation.rle)
        assert mask.shape == PIXELS.shape[:2]
        assert annotation.area_px == mask.sum()


def test_an_image_is_labelled_by_three_families(resources):
    first, second = label_two(
        resources(
            vision_language=("qwen3_vl", {"max_new_tokens": 4}),
            zero_shot_detector=("owlv2", {}),
            mask_generator=("sam2", {}),
        )
    )
    check(first)
    assert first.caption == second.caption
    assert first.detections == second.detections
    assert families_of(first) == {
        "captioner": "vision_language",
        "detector": "zero_shot_detector",
        "segmenter": "mask_generator",
    }


def test_sam3_alone_finds_and_cuts_out(resources):
    worker = resources(
        vision_language=("florence2", {"max_new_tokens": 4}), sam3=("sam3", {"box_threshold": 0.0})
    )
    first, second = label_two(worker, nms_iou=0.7, agnostic_iou=0.9)
    check(first)
    assert first.detections == second.detections
    assert families_of(first) == {
        "captioner": "vision_language",
        "detector": "sam3",
        "segmenter": "sam3",
    }
    for index, one in enumerate(first.detections):
        for other in first.detections[:index]:
            assert boxes.iou(one.box_xyxy, other.box_xyxy) <= 0.9
    found, _ = worker.families[1].find([PIXELS, PIXELS], [NAMES, NAMES])
    mask_of = dict(found)
    for one, mask in zip(first.detections, first.masks, strict=True):
        assert np.array_equal(mask, masks.within(mask_of[one], one.box_xyxy, label.MASK_MARGIN))


def test_a_segmenter_of_its_own_is_preferred_to_sam3s_masks(resources):
    first, _ = label_two(
        resources(
            vision_language=("florence2", {"max_new_tokens": 4}),
            sam3=("sam3", {"box_threshold": 0.0}),
            mask_generator=("sam", {}),
        )
    )
    check(first)
    assert families_of(first)["segmenter"] == "mask_generator"
    assert families_of(first)["detector"] == "sam3"


def test_phrases_of_a_name_are_found_under_it(resources):
    worker = resources(
        vision_language=("florence2", {"max_new_tokens": 4}), sam3=("sam3", {"box_threshold": 0.0})
    )
    first, _ = label_two(worker, phrases={"dog": ("dog", "tree")})
    check(first)
