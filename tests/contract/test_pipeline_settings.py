"""Pipelines that would load, or work, with wrong results and no word about it."""

import json
import shutil
from fnmatch import fnmatch

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor

from chatgenimage.testing import same_image
from chatgenimage.workers.errors import (
    CheckpointBroken,
    CheckpointNotFound,
    ImageWithheld,
    NotANumber,
    PackageMissing,
)
from chatgenimage.workers.painter_config import StableDiffusionConfig
from chatgenimage.workers.weights import hub
from chatgenimage.workers.weights.local_files import sources_of
from tests.contract.original_layout import save_as_one_file
from tests.contract.test_published_layouts import load

PROMPT, SEED = ["a dog"], [1]


def test_a_folder_of_several_loras_is_refused_with_their_names(tiny_folder, tmp_path):
    for name in ("oil.safetensors", "ink.safetensors", "optimizer.safetensors"):
        save_file({"weight": torch.ones(1)}, tmp_path / name)
    with pytest.raises(CheckpointBroken, match=r"2 LoRA files: ink\.safetensors, oil\.safetensors"):
        load("stable_diffusion", tiny_folder / "stable_diffusion", lora=[str(tmp_path)])


@pytest.mark.parametrize("checkpoint", ["stable_diffusion", "stable_diffusion_xl"])
def test_a_tokenizer_without_a_longest_text_has_that_of_its_encoder(
    tiny_folder, tmp_path, checkpoint
):
    folder = tmp_path / "unlimited"
    shutil.copytree(tiny_folder / checkpoint, folder)
    for file in folder.glob("tokenizer*/tokenizer_config.json"):
        content = json.loads(file.read_text())
        del content["model_max_length"]
        file.write_text(json.dumps(content))
    same = (load("stable_diffusion", path) for path in (tiny_folder / checkpoint, folder))
    images = [family.generate(PROMPT, SEED)[0] for family in same]
    assert same_image(*images)


def test_a_mark_that_is_also_padding_is_read_as_text(tiny_folder, tmp_path):
    folder = tmp_path / "padded"
    shutil.copytree(tiny_folder / "stable_diffusion_xl", folder)
    file = folder / "tokenizer_2/tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pad_token": "."}))
    pipeline = load("stable_diffusion", folder)._generating  # noqa: SLF001
    tokenizers = pipeline.tokenizer, pipeline.tokenizer_2
    first, second = (one("a dog.", padding="max_length").input_ids for one in tokenizers)
    assert first[:7] == second[:7]
    assert second[-1] == pipeline.tokenizer_2.pad_token_id != first[-1]


@pytest.mark.parametrize("checkpoint", ["stable_diffusion", "stable_diffusion_xl"])
def test_a_lora_of_another_architecture_is_refused(tiny_folder, tmp_path, checkpoint):
    name = "transformer.single_transformer_blocks.0.attn.to_q"
    weights = {f"{name}.lora_A.weight": torch.ones(4, 8), f"{name}.lora_B.weight": torch.ones(8, 4)}
    save_file(weights, tmp_path / "flux.safetensors")
    with pytest.raises(CheckpointBroken, match=r"flux\.safetensors fits no layer"):
        load(
            "stable_diffusion", tiny_folder / checkpoint, lora=[str(tmp_path / "flux.safetensors")]
        )


def one_file(kind, folder, path, *declared):
    save_as_one_file(kind.from_pretrained(folder), path)
    save_file(load_file(path) | {name: torch.zeros(0) for name in declared}, path)
    return {"checkpoint": path, "settings_of": str(folder)}


def test_a_single_file_that_declares_v_prediction_is_painted_so(tiny_folder, tmp_path):
    folder = tiny_folder / "stable_diffusion_xl"
    names = "v_pred", "ztsnr"
    plain, declared = (
        load("stable_diffusion", **one_file(StableDiffusionXLPipeline, folder, tmp_path / f, *keys))
        for f, keys in [("plain.safetensors", ()), ("v.safetensors", names)]
    )
    for pipeline in (declared._generating, declared._filling):  # noqa: SLF001
        assert pipeline.scheduler.config.prediction_type == "v_prediction"
        assert pipeline.scheduler.config.rescale_betas_zero_snr
    images = [family.generate(PROMPT, SEED)[0] for family in (plain, declared)]
    assert not same_image(*images)


def test_a_scheduler_that_cannot_do_what_a_single_file_declares_is_refused(tiny_folder, tmp_path):
    folder, path = tiny_folder / "stable_diffusion", tmp_path / "v.safetensors"
    settings = one_file(StableDiffusionPipeline, folder, path, "v_pred", "ztsnr")
    with pytest.raises(CheckpointBroken, match=r"PNDMScheduler.*lacks rescale_betas_zero_snr"):
        load("stable_diffusion", **settings)


@pytest.fixture
def overflowing(tiny_folder, tmp_path):
    """A checkpoint whose decoder overflows, as some do in float16."""
    folder = shutil.copytree(tiny_folder / "stable_diffusion", tmp_path / "overflowing")
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["decoder.conv_out.weight"] *= 1e5
    weights["decoder.conv_out.bias"] += float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def test_numbers_that_overflow_become_an_error_and_no_black_image(overflowing, images):
    family = load("stable_diffusion", overflowing)
    with pytest.raises(NotANumber, match=r"Set `dtype: bfloat16` or `dtype: float32`"):
        family.generate(PROMPT, SEED)
    with pytest.raises(NotANumber):
        family.fill(images[:1], [np.ones((64, 64), dtype=bool)], PROMPT, SEED)


def test_at_guidance_1_the_image_still_guides_an_edit(tiny_folder, images):
    edits = [
        load(
            "instruct_pix2pix",
            tiny_folder / "instruct_pix2pix",
            guidance_scale=1.0,
            image_guidance_scale=scale,
        ).edit(images[:1], PROMPT, SEED)[0]
        for scale in (1.5, 90.0)
    ]
    assert not same_image(*edits)


@pytest.fixture
def half(tiny_folder, tmp_path):
    """A folder that has its weights in the variant fp16 only."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder / "stable_diffusion")
    pipeline.to(torch.float16).save_pretrained(tmp_path / "half", variant="fp16")
    return tmp_path / "half"


def test_weights_in_half_precision_only_are_read_by_their_variant(half, tiny_folder):
    with pytest.raises(CheckpointBroken, match="set `variant: fp16`"):
        load("stable_diffusion", half)
    whole = load("stable_diffusion", tiny_folder / "stable_diffusion", dtype="float16")
    found = load("stable_diffusion", half, variant="fp16", dtype="float16")
    assert same_image(*(family.generate(PROMPT, SEED)[0] for family in (whole, found)))


def test_a_folder_of_a_hub_without_full_weights_is_told_of_the_variant(tiny_folder, tmp_path):
    shutil.copy(tiny_folder / "stable_diffusion" / "model_index.json", tmp_path)
    with pytest.raises(CheckpointNotFound, match="set `variant: fp16`"):
        load("stable_diffusion", tmp_path)


REPOSITORY = [
    "model_index.json",
    *("unet/config.json", "safety_checker/config.json"),
    *("unet/diffusion_pytorch_model.safetensors", "safety_checker/model.safetensors"),
    *("unet/diffusion_pytorch_model.fp16.safetensors", "safety_checker/model.fp16.safetensors"),
    "unet/diffusion_pytorch_model.non_ema.safetensors",
]


@pytest.mark.parametrize(
    ("settings", "fetched"),
    [
        ({}, [0, 1, 3]),
        ({"variant": "fp16"}, [0, 1, 5]),
        ({"safety_checker": True}, [0, 1, 2, 3, 4]),
        ({"variant": "fp16", "safety_checker": True}, [0, 1, 2, 5, 6]),
    ],
)
def test_only_the_files_of_the_settings_are_fetched(settings, fetched):
    wanted = sources_of(StableDiffusionConfig(checkpoint="a/b", **settings))[0].wanted
    found = [
        name
        for name in REPOSITORY
        if any(fnmatch(name, pattern) for pattern in wanted)
        and not any(fnmatch(name, pattern) for pattern in hub.unwanted_by(wanted))
    ]
    assert found == [REPOSITORY[index] for index in fetched]


def test_compiling_without_a_compiler_is_refused_with_the_reason(
    tiny_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageMissing, match="needs a C compiler"):
        load("stable_diffusion", tiny_folder / "stable_diffusion", compile=True)


def with_checker(tiny_folder, folder, threshold):
    """Return a checkpoint whose safety checker finds something above a cosine."""
    shutil.copytree(tiny_folder / "stable_diffusion", folder)
    part = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    part |= {"num_attention_heads": 2, "projection_dim": 8}
    text, vision = part | {"vocab_size": 50000}, part | {"image_size": 16, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    checker = StableDiffusionSafetyChecker(config)
    checker.concept_embeds_weights.fill_(threshold)
    checker.save_pretrained(folder / "safety_checker")
    crop = {"height": 16, "width": 16}
    CLIPImageProcessor(crop_size=crop, size={"shortest_edge": 16}).save_pretrained(
        folder / "feature_extractor"
    )
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@torch.inference_mode()
def test_the_safety_checker_is_loaded_where_it_is_wanted(tiny_folder, tmp_path):
    strict = with_checker(tiny_folder, tmp_path / "strict", -2.0)
    (painted,) = load("stable_diffusion", strict).generate(PROMPT, SEED)
    with pytest.raises(ImageWithheld, match="another prompt or seed".capitalize()):
        load("stable_diffusion", strict, safety_checker=True).generate(PROMPT, SEED)
    lenient = with_checker(tiny_folder, tmp_path / "lenient", 2.0)
    (passed,) = load("stable_diffusion", lenient, safety_checker=True).generate(PROMPT, SEED)
    assert same_image(passed, painted)


@pytest.mark.parametrize("checkpoint", ["stable_diffusion", "stable_diffusion_xl"])
def test_a_checkpoint_without_a_safety_checker_cannot_load_one(tiny_folder, checkpoint):
    with pytest.raises(CheckpointBroken, match="has no safety checker"):
        load("stable_diffusion", tiny_folder / checkpoint, safety_checker=True)
