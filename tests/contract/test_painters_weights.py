"""Weights of painters by capability: half precision, and checkpoints that are damaged."""

import shutil

import diffusers
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from chatgenimage.workers.errors import CheckpointBroken, NotANumber
from chatgenimage.workers.painters.pipelines_table import EDITING, GENERATING
from tests.contract.test_family import lose_a_weight, lose_the_settings, truncate

MASK = np.ones((64, 64), dtype=bool)
FLUX = "FluxPipeline"


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *(("text_to_image", name) for name in GENERATING),
        *(("instruction_edit", name) for name in EDITING),
        ("inpaint", "FluxFillPipeline"),
        ("inpaint", "FluxKontextPipeline"),
        ("inpaint", "StableDiffusionInpaintPipeline"),
        ("inpaint", "StableDiffusionXLInpaintPipeline"),
    ],
)
@pytest.mark.usefixtures("small_references")
def test_a_painter_works_in_half_precision(load_painter, images, family, name):
    settings = {} if family == "inpaint" else {"num_inference_steps": 1}
    painter = load_painter(family, name, dtype="bfloat16", **settings)
    if family == "instruction_edit":
        assert painter.edit(images[:1], ["paint it"], [1])[0].shape == images[0].shape
    if family == "text_to_image":
        assert painter.generate(["a dog"], [1])[0].shape == (64, 64, 3)
    if hasattr(painter, "fill"):
        assert painter.fill(images[:1], [MASK], ["a dog"], [1])[0].shape == images[0].shape


@pytest.fixture
def damaged(painter_folder, tmp_path, load_painter):
    """Return a function that damages a part of a copy of a checkpoint and loads it."""

    def damaged(part, damage):
        folder = shutil.copytree(painter_folder(FLUX), tmp_path / "damaged")
        damage(folder / part)
        return load_painter("text_to_image", FLUX, checkpoint=str(folder))

    return damaged


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder_2"])
@pytest.mark.parametrize("damage", [lose_a_weight, truncate, lose_the_settings])
def test_a_damaged_part_is_said_to_be_broken(damaged, part, damage):
    with pytest.raises(CheckpointBroken, match=r"Fetch (it|the checkpoint) again"):
        damaged(part, damage)


def test_a_checkpoint_without_an_index_is_said_to_be_broken(damaged):
    with pytest.raises(
        CheckpointBroken, match=r"no model_index.json.*download the whole repository"
    ):
        damaged("", lose_the_settings)


def test_a_vocabulary_that_is_missing_is_said_so(damaged):
    with pytest.raises(CheckpointBroken, match="no vocabulary"):
        damaged("tokenizer_2", lambda folder: (folder / "tokenizer.json").unlink())


def overflow(folder):
    """Make the autoencoder compute infinities."""
    file = next(folder.glob("*.safetensors"))
    weights = load_file(file)
    name = next(name for name in weights if name.startswith("decoder.conv_out.weight"))
    weights[name] = torch.full_like(weights[name], torch.inf)
    save_file(weights, file, metadata={"format": "pt"})


def test_numbers_that_overflow_are_no_image(damaged):
    family = damaged("vae", overflow)
    with pytest.raises(NotANumber, match="dtype"):
        family.generate(["a dog"], [1])


def test_a_single_file_without_the_settings_it_lacks_is_said_so(load_painter, tmp_path):
    file = tmp_path / "mine.safetensors"
    save_file({"weight": torch.zeros(1)}, file)
    with pytest.raises(CheckpointBroken, match="settings_of"):
        load_painter("text_to_image", FLUX, checkpoint=str(file))


def save_lora(painter_folder, name, folder):
    """Write LoRA weights for the denoiser of a class, as diffusers' training scripts do."""
    kind = getattr(diffusers, name)
    pipeline = kind.from_pretrained(painter_folder(name))
    pipeline.transformer.add_adapter(
        LoraConfig(r=2, lora_alpha=64, init_lora_weights=False, target_modules=["to_q", "to_v"])
    )
    layers = get_peft_model_state_dict(pipeline.transformer)
    kind.save_lora_weights(folder, transformer_lora_layers=layers)
    return str(folder)


@pytest.mark.parametrize("name", [FLUX, "ZImagePipeline", "QwenImagePipeline", "SanaPipeline"])
def test_lora_weights_change_the_image_and_the_revision(
    load_painter, painter_folder, tmp_path, name
):
    lora = (save_lora(painter_folder, name, tmp_path),)
    plain, adapted = (load_painter("text_to_image", name, lora=weights) for weights in ((), lora))
    before, after = (family.generate(["a dog"], [1])[0] for family in (plain, adapted))
    assert not np.array_equal(before, after)
    assert plain.identity.revision != adapted.identity.revision


def test_a_lora_of_another_class_is_refused(load_painter, painter_folder, tmp_path):
    name = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    weights = {f"{name}.lora_A.weight": torch.ones(4, 8), f"{name}.lora_B.weight": torch.ones(8, 4)}
    save_file(weights, tmp_path / "sd.safetensors")
    with pytest.raises(CheckpointBroken, match=r"sd\.safetensors|does not load"):
        load_painter("text_to_image", FLUX, lora=(str(tmp_path / "sd.safetensors"),))
