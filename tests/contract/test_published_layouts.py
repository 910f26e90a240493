"""Published checkpoints: other networks of a family, adapters, single files."""

import shutil

import numpy as np
import pytest
import torch
from diffusers import (
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from chatgenimage.testing import same_image
from chatgenimage.workers import grounding_dino_original
from chatgenimage.workers.errors import CheckpointBroken, CheckpointNotFound
from chatgenimage.workers.registry import load_family
from tests.contract import tiny_grounding
from tests.contract.conftest import ADAPTER, FEW_STEPS, SIZE_WH
from tests.contract.original_layout import save_as_one_file

PROMPTS, SEEDS = ["a dog in a forest", "a house"], [1, 2]


def load(family, checkpoint, **settings):
    values = {"family": family, "checkpoint": str(checkpoint), **FEW_STEPS.get(family, {})}
    return load_family(ADAPTER.validate_python(values | settings), "cpu")


def test_an_xl_checkpoint_generates_and_fills(tiny_folder, images):
    family = load("stable_diffusion", tiny_folder / "stable_diffusion_xl")
    first, second = family.generate(PROMPTS, SEEDS)
    assert first.shape == second.shape == (*SIZE_WH[::-1], 3)
    (alone,) = family.generate(PROMPTS[1:], SEEDS[1:])
    assert same_image(alone, second)
    mask = np.zeros((64, 64), dtype=bool)
    mask[20:50, 10:40] = True
    (filled,) = family.fill(images[:1], [mask], PROMPTS[:1], SEEDS[:1])
    np.testing.assert_array_equal(filled[~mask], images[0][~mask])
    assert (filled[mask] != images[0][mask]).mean() > 0.5


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_xl_checkpoint_paints_what_its_own_pipeline_paints(tiny_folder, prompt):
    """Without a negative prompt it guides by zeros, not by the empty text."""
    folder = tiny_folder / "stable_diffusion_xl"
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder)
    width, height = SIZE_WH
    asked = {"height": height, "width": width, "num_inference_steps": 2, "guidance_scale": 90.0}
    (expected,) = pipeline(
        prompt, **asked, generator=[torch.Generator().manual_seed(1)], output_type="np"
    ).images
    family = load("stable_diffusion", folder, guidance_scale=90.0)
    (found,) = family.generate([prompt], [1])
    assert same_image(found, np.round(expected * 255).astype(np.uint8))


def test_the_whole_of_a_long_prompt_is_painted_by_an_xl_checkpoint(tiny_folder):
    settings = {"negative_prompt": "blur", "guidance_scale": 200.0}
    family = load("stable_diffusion", tiny_folder / "stable_diffusion_xl", **settings)
    prompts = ["a dog in a forest, " * 2 + end for end in ("a beach", "a city street")]
    together = family.generate([*prompts, "a dog"], [1, 1, 2])
    assert not np.array_equal(together[0], together[1])
    assert same_image(together[1], family.generate(prompts[1:], [1])[0])


def test_blip_captions_like_blip_2(tiny_folder, images):
    captioner = load("blip", tiny_folder / "blip", max_new_tokens=6)
    together = captioner.caption(images)
    assert [captioner.caption([image])[0] for image in images] == together
    assert all(caption == caption.strip() for caption in together)


@pytest.fixture(scope="module")
def lora(tiny_folder, tmp_path_factory):
    """LoRA weights for the tiny denoiser, as diffusers' training scripts write them."""
    folder = tmp_path_factory.mktemp("lora")
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder / "stable_diffusion")
    pipeline.unet.add_adapter(
        LoraConfig(r=2, lora_alpha=64, init_lora_weights=False, target_modules=["to_q", "to_v"])
    )
    layers = get_peft_model_state_dict(pipeline.unet)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    return folder


def test_lora_weights_change_the_image_and_the_revision(tiny_folder, lora):
    checkpoint = tiny_folder / "stable_diffusion"
    plain = load("stable_diffusion", checkpoint)
    adapted = load("stable_diffusion", checkpoint, lora=[str(lora)], lora_scale=2.0)
    unscaled = load("stable_diffusion", checkpoint, lora=[str(lora)], lora_scale=0.0)
    before, after, same = (
        family.generate(PROMPTS[:1], SEEDS[:1])[0] for family in (plain, adapted, unscaled)
    )
    assert not np.array_equal(before, after)
    assert same_image(before, same)
    assert plain.identity.revision != adapted.identity.revision
    assert adapted.identity.settings["lora"] == [str(lora)]


def test_lora_weights_that_are_not_there_are_said_so(tiny_folder):
    with pytest.raises(CheckpointNotFound, match="nowhere"):
        load("stable_diffusion", tiny_folder / "stable_diffusion", lora=["./nowhere"])


def test_offloading_changes_no_image(tiny_folder):
    checkpoint = tiny_folder / "stable_diffusion"
    plain, saved = (
        load("stable_diffusion", checkpoint, **settings).generate(PROMPTS, SEEDS)
        for settings in ({}, {"offload": "model"})
    )
    assert all(map(same_image, plain, saved))


@pytest.mark.parametrize(
    ("checkpoint", "kind"),
    [
        ("stable_diffusion", StableDiffusionPipeline),
        ("stable_diffusion_xl", StableDiffusionXLPipeline),
        ("instruct_pix2pix", StableDiffusionInstructPix2PixPipeline),
    ],
)
def test_a_single_file_paints_what_its_folder_paints(
    tiny_folder, tmp_path, images, checkpoint, kind
):
    family = checkpoint.removesuffix("_xl")
    folder, file = tiny_folder / checkpoint, tmp_path / "mine.safetensors"
    save_as_one_file(kind.from_pretrained(folder), file)
    # Its settings folder must not contain the weights, otherwise the test proves nothing.
    settings = shutil.copytree(
        folder, tmp_path / "settings", ignore=shutil.ignore_patterns("*.safetensors")
    )
    painters = load(family, folder), load(family, file, settings_of=str(settings))
    if family == "instruct_pix2pix":
        expected, found = (painter.edit(images[:1], PROMPTS[:1], SEEDS[:1]) for painter in painters)
    else:
        expected, found = (painter.generate(PROMPTS[:1], SEEDS[:1]) for painter in painters)
    assert same_image(expected[0], found[0])
    assert painters[0].identity.revision != painters[1].identity.revision


@pytest.mark.parametrize(
    "lost",
    [
        "first_stage_model.",
        "first_stage_model.quant_conv.bias",
        "cond_stage_model.",
        "cond_stage_model.transformer.text_model.final_layer_norm.weight",
        "model.diffusion_model.out.2.bias",
    ],
)
def test_a_single_file_that_lacks_weights_is_refused(tiny_folder, tmp_path, lost):
    folder, file = tiny_folder / "stable_diffusion", tmp_path / "mine.safetensors"
    save_as_one_file(StableDiffusionPipeline.from_pretrained(folder), file)
    kept = {name: v for name, v in load_file(file).items() if not name.startswith(lost)}
    save_file(kept, file)
    with pytest.raises(CheckpointBroken, match="lacks weights"):
        load("stable_diffusion", file, settings_of=str(folder))


def test_a_single_file_without_the_settings_it_lacks_is_told_what_to_name(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.touch()
    with pytest.raises(CheckpointBroken, match="settings_of"):
        load("stable_diffusion", file)


@pytest.fixture(scope="module")
def original_pth(tmp_path_factory):
    """The authors' whole Swin-T network over a small BERT, saved in the form of
    `groundingdino_swint_ogc.pth`: wrapped for several GPUs, with data of the training and BERT's
    deprecated position ids.
    """
    folder = tmp_path_factory.mktemp("original")
    tiny_grounding.save_bert(folder / "bert")
    model = grounding_dino_original.build_network({}, folder / "bert")
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    state["module.label_enc.weight"] = torch.zeros(2001, 256)
    state["module.bert.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save({"model": state}, folder / "groundingdino_swint_ogc.pth")
    return folder / "groundingdino_swint_ogc.pth"


def test_an_original_grounding_dino_is_what_was_saved(original_pth, images):
    settings = {"text_encoder": str(original_pth.parent / "bert"), "box_threshold": 0.0}
    edges = {"shortest_edge": 224, "longest_edge": 256}
    detector = load("grounding_dino_original", original_pth, **settings, **edges)
    saved = torch.load(original_pth, weights_only=True)["model"]
    for name, value in detector._model.state_dict().items():  # noqa: SLF001
        torch.testing.assert_close(value, saved[f"module.{name}"])
    (detections,) = detector.detect(images[:1], [["dog", "city street"]])
    assert len(detections) == 2 * 900
    assert detections[0].confidence > detections[-1].confidence


def test_an_original_grounding_dino_of_another_width_is_refused(tmp_path):
    tiny_grounding.save_bert(tmp_path / "bert")
    patches = {"module.backbone.0.patch_embed.proj.weight": torch.zeros(64, 3, 4, 4)}
    torch.save({"model": patches}, tmp_path / "mine.pth")
    with pytest.raises(CheckpointBroken, match=r"neither the authors' Swin-T nor their Swin-B"):
        load("grounding_dino_original", tmp_path / "mine.pth", text_encoder=str(tmp_path / "bert"))


def test_an_open_precision_is_settled_by_the_device(tiny_folder):
    family = load("blip", tiny_folder / "blip", dtype="auto")
    assert family.identity.settings["dtype"] == "float32"


def test_a_pickle_that_runs_code_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trapped"), "w"))

    torch.save({"model": Trap()}, tmp_path / "sam.pth")
    with pytest.raises(CheckpointBroken):
        load("segment_anything", tmp_path / "sam.pth")
    assert not (tmp_path / "trapped").exists()
