"""The family `mask_generator` cuts out what the library's own path cuts out."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskGeneration

from chatgenimage.workers.vision.mask_generator import KINDS
from tests.contract import kinds

BOXES = [(4.0, 6.0, 40.0, 50.0), (0.0, 0.0, 64.0, 61.0), (30.5, 30.5, 33.0, 34.0)]


@pytest.mark.parametrize("kind", kinds.SAVERS["mask_generator"])
def test_the_masks_are_those_of_the_library(load, kinds_folder, images, kind):
    folder = kinds.save("mask_generator", kind, kinds_folder)
    processor = KINDS[kind][0].from_pretrained(folder)
    model = AutoModelForMaskGeneration.from_pretrained(folder).eval()
    boxes = [[list(box) for box in BOXES]]
    inputs = processor(images=images[1], input_boxes=boxes, return_tensors="pt")
    with torch.inference_mode():
        output = model(
            pixel_values=inputs["pixel_values"],
            input_boxes=inputs["input_boxes"].float(),
            multimask_output=False,
        )
    sizes = [inputs[name] for name in ("original_sizes", "reshaped_input_sizes") if name in inputs]
    (expected,) = processor.post_process_masks(output.pred_masks, *sizes)
    (masks,) = load(kind, "mask_generator").segment(images[1:2], [BOXES])
    assert 0 < np.mean(masks) < 1
    assert np.mean(np.stack(masks) != expected[:, 0].numpy()) < 0.001
    other = load(kind, "mask_generator").segment(images[1:2], [BOXES[::-1]])[0]
    assert np.mean(np.stack(masks) != np.stack(other[::-1])) < 0.001
