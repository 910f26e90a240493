"""Checkpoints of other architectures that transformers would load, with wrong results."""

import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BlipConfig,
    BlipForQuestionAnswering,
    GroundingDinoForObjectDetection,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
)

from chatgenimage.workers.registry import load_family
from tests.contract.conftest import ADAPTER, refusal_of


def copy_but_weights(source, folder):
    return shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))


def test_a_sister_architecture_with_the_same_weights_is_refused(tiny_folder, tmp_path):
    folder = copy_but_weights(tiny_folder / "grounding_dino", tmp_path / "mm")
    settings = GroundingDinoForObjectDetection.from_pretrained(
        tiny_folder / "grounding_dino"
    ).config
    kept = {key: value for key, value in settings.to_dict().items() if key != "model_type"}
    MMGroundingDinoForObjectDetection(MMGroundingDinoConfig(**kept)).save_pretrained(folder)
    said = refusal_of("grounding_dino", folder)
    assert "'mm-grounding-dino'; this family loads 'grounding-dino' only" in said


def test_a_checkpoint_trained_for_another_task_is_refused(tiny_folder, tmp_path):
    folder = copy_but_weights(tiny_folder / "blip", tmp_path / "vqa")
    config = BlipConfig.from_pretrained(folder)
    BlipForQuestionAnswering(config).save_pretrained(folder)
    assert "trained for another task" in refusal_of("blip", folder)


def test_a_checkpoint_with_values_that_networks_now_calculate_is_loaded(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder / "blip", tmp_path / "old")
    weights = load_file(folder / "model.safetensors")
    weights["text_decoder.bert.embeddings.old_position.position_ids"] = torch.arange(8)[None]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = ADAPTER.validate_python({"family": "blip", "checkpoint": str(folder)})
    load_family(config, "cpu")
