"""Fixtures for every family, with tiny random checkpoints and the trained micro checkpoints."""

import functools

import numpy as np
import pytest
import torch
from diffusers.pipelines.longcat_image import pipeline_longcat_image_edit
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from pydantic import TypeAdapter

from chatgenimage.testing import sample_images
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.registry import load_family
from tests.contract import kinds, tiny_checkpoints, tiny_painters

ADAPTER = TypeAdapter(FamilyConfig)
SIZE_WH = (64, 64)
FEW_STEPS: dict[str, dict[str, object]] = {
    "stable_diffusion": {
        "size_wh": SIZE_WH,
        "num_inference_steps": 2,
        "fill_num_inference_steps": 2,
    },
    "instruct_pix2pix": {"num_inference_steps": 2},
    "blip2": {"max_new_tokens": 12},
    "grounding_dino": {"box_threshold": 0.05, "max_labels_per_prompt": 4},
    "grounding_dino_original": {
        "box_threshold": 0.05,
        "max_labels_per_prompt": 4,
        "shortest_edge": 64,
        "longest_edge": 96,
    },
    "segment_anything": {"boxes_per_batch": 2},
    "mask_generator": {"boxes_per_batch": 2},
    "sam3": {"box_threshold": 0.05, "labels_per_batch": 2},
    "vision_language": {"max_new_tokens": 8, "max_answer_tokens": 4},
    "zero_shot_detector": {"box_threshold": 0.05, "max_labels_per_prompt": 4},
    "text_to_image": {
        "size_wh": SIZE_WH,
        "num_inference_steps": 2,
        "fill_num_inference_steps": 2,
    },
    "inpaint": {"num_inference_steps": 2},
    "instruction_edit": {"num_inference_steps": 2},
}


def refusal_of(family, folder):
    """Return why a family refuses a checkpoint."""
    config = ADAPTER.validate_python({"family": family, "checkpoint": str(folder)})
    with pytest.raises(CheckpointBroken) as refused:
        load_family(config, "cpu")
    return str(refused.value)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny_checkpoints.save_all(folder)
    return folder


@pytest.fixture(scope="session")
def kinds_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="session")
def load(request, kinds_folder):
    """Return a function that loads a family of a variant, or an architecture of it, once."""

    def place_of(variant, family):
        if family in kinds.SAVERS:
            return kinds.save(family, variant, kinds_folder)
        if variant == "micro":
            return f"bundled:micro/{family}"
        return request.getfixturevalue("tiny_folder") / family

    @functools.cache
    def load(variant, family, **settings):
        values = {"family": family, "checkpoint": str(place_of(variant, family))}
        values = values | FEW_STEPS.get(family, {}) | settings
        return load_family(ADAPTER.validate_python(values), "cpu")

    return load


@pytest.fixture(scope="session")
def painter_folder(tmp_path_factory):
    """Return a function that writes a tiny checkpoint of a pipeline class once; returns where."""
    root = tmp_path_factory.mktemp("painters")

    @functools.cache
    def painter_folder(name):
        tiny_painters.save_painter(name, root / name)
        return root / name

    return painter_folder


@pytest.fixture(scope="session")
def load_painter(painter_folder):
    """Return a function that loads a family by the pipeline class of its checkpoint, once."""

    @functools.cache
    def load_painter(family, name, **settings):
        values = {"family": family, "checkpoint": str(painter_folder(name)), **FEW_STEPS[family]}
        return load_family(ADAPTER.validate_python(values | settings), "cpu")

    return load_painter


@pytest.fixture(scope="module")
def small_references():
    """Qwen and LongCat see an image at a megapixel, which takes seconds on a processor."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (pipeline_qwenimage_edit, pipeline_longcat_image_edit):
            whole = module.calculate_dimensions
            smaller = functools.partial(lambda whole, _area, ratio: whole(128**2, ratio), whole)
            patch.setattr(module, "calculate_dimensions", smaller)
        patch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", 128**2)
        patch.setattr(pipeline_qwenimage_edit_plus, "CONDITION_IMAGE_SIZE", 128**2)
        yield


@pytest.fixture
def images():
    """Three images of noise, the middle one of an unusual size."""
    return sample_images()


@pytest.fixture
def mask_images(images):
    """A mask of a part of each image."""
    masks = [np.zeros(image.shape[:2], dtype=bool) for image in images]
    for mask in masks:
        mask[20:50, 10:40] = True
    return masks
