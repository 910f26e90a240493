"""SAM 3: boxes with masks, those of the library, from one encoding of each image."""

import numpy as np
import pytest
import torch
from transformers import Sam3Model, Sam3Processor

from chatgenimage.testing.families import CHECKS
from chatgenimage.workers.interfaces import DetectorSegmenter
from tests.contract import kinds

LABELS = ["dog", "city street", "car"]


@pytest.fixture(params=kinds.SAVERS["sam3"])
def finder(request, load):
    return load(request.param, "sam3", box_threshold=0.0)


@pytest.mark.parametrize("check", CHECKS[DetectorSegmenter])
def test_it_finds_and_cuts_out_as_its_protocol_says(finder, check):
    check(finder)


def test_a_mask_is_the_same_in_any_batch(finder, images):
    together = finder.find(images, [LABELS] * 3)[1]
    (alone,) = finder.find(images[1:2], [LABELS])
    for (_, one), (_, other) in zip(together, alone, strict=True):
        assert np.mean(one != other) < 0.01


@torch.inference_mode()
def test_objects_are_those_of_the_library(load, kinds_folder, images):
    folder = kinds.save("sam3", "sam3", kinds_folder)
    processor, model = Sam3Processor.from_pretrained(folder), Sam3Model.from_pretrained(folder)
    inputs = processor(images=images[1], text="dog", return_tensors="pt")
    (expected,) = processor.post_process_instance_segmentation(
        model.eval()(**inputs), threshold=0.0, target_sizes=[images[1].shape[:2]]
    )
    order = expected["scores"].argsort(descending=True)
    (found,) = load("sam3", "sam3", box_threshold=0.0).find(images[1:2], [["dog"]])
    np.testing.assert_allclose(
        [(one.confidence, *one.box_xyxy) for one, _ in found],
        [
            (expected["scores"][row].item(), *expected["boxes"][row].tolist())
            for row in order.tolist()
        ],
        atol=1e-3,
    )
    masks = expected["masks"][order].bool().numpy()
    assert np.mean(np.stack([mask for _, mask in found]) != masks) < 0.01


def test_an_image_is_encoded_once_for_all_labels(load, images):
    finder = load("sam3", "sam3", labels_per_batch=1)
    encoder = finder._model.vision_encoder  # noqa: SLF001
    passes = []
    handle = encoder.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    try:
        finder.find(images, [LABELS, LABELS, LABELS])
    finally:
        handle.remove()
    assert passes == [3]
