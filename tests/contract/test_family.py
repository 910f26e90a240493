import shutil

import pytest
from safetensors.torch import load_file, save_file

from chatgenimage.testing import check_identity
from chatgenimage.workers import interfaces
from chatgenimage.workers.errors import CheckpointBroken, CheckpointNotFound
from chatgenimage.workers.registry import load_family
from tests.contract.checkpoints import checkpoints
from tests.contract.conftest import ADAPTER

CAPABILITIES = {
    "stable_diffusion": {
        interfaces.ImageGenerator,
        interfaces.ObjectFiller,
        interfaces.OptionsGenerator,
        interfaces.PromptReader,
    },
    "instruct_pix2pix": {interfaces.BackgroundEditor, interfaces.PromptReader},
    "blip2": {interfaces.Captioner},
    "grounding_dino": {interfaces.Detector},
    "grounding_dino_original": {interfaces.Detector},
    "segment_anything": {interfaces.Segmenter},
    "open_clip": {interfaces.ImageTextEncoder},
}
PARTS = {
    "stable_diffusion": ["unet", "vae", "text_encoder"],
    "instruct_pix2pix": ["unet", "vae", "text_encoder"],
    "blip2": ["."],
    "grounding_dino": ["."],
    "grounding_dino_original": ["."],
    "segment_anything": ["."],
    "open_clip": ["."],
}
ALL_CAPABILITIES = set().union(*CAPABILITIES.values())


def lose_a_weight(folder):
    for file in folder.rglob("*.safetensors"):
        weights = load_file(file)
        del weights[sorted(weights)[len(weights) // 2]]
        save_file(weights, file, metadata={"format": "pt"})


def truncate(folder):
    for file in folder.rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-100])


def empty(folder):
    for file in folder.rglob("*.safetensors"):
        file.write_bytes(b"")


def lose_the_settings(folder):
    for file in [*folder.rglob("*config.json"), *folder.glob("model_index.json")]:
        file.unlink()


def lose_the_vocabulary(folder):
    for name in ("tokenizer.json", "vocab.json", "vocab.txt"):
        for file in folder.rglob(name):
            file.unlink()


@pytest.fixture(params=checkpoints(*CAPABILITIES))
def family(request, load):
    return load(*request.param)


def test_a_family_can_do_what_its_protocols_say_and_no_more(family):
    capabilities = {can for can in ALL_CAPABILITIES if isinstance(family, can)}
    assert capabilities == CAPABILITIES[family.identity.family]


def test_a_family_knows_which_weights_it_is(family):
    identity = family.identity
    assert identity.checkpoint.endswith(identity.family)
    assert len(identity.revision) == 16
    check_identity(family)


@pytest.mark.parametrize("name", CAPABILITIES)
def test_a_checkpoint_that_is_not_there_is_said_so(name):
    config = ADAPTER.validate_python({"family": name, "checkpoint": "bundled:nowhere"})
    with pytest.raises(CheckpointNotFound, match="make train"):
        load_family(config, "cpu")


def damaged(tiny_folder, tmp_path, name, part, damage):
    """Return the settings of a copy of a tiny checkpoint with one of its parts damaged."""
    folder = tmp_path / name
    shutil.copytree(tiny_folder / name, folder)
    damage(folder / part)
    return ADAPTER.validate_python({"family": name, "checkpoint": str(folder)})


@pytest.mark.parametrize(("name", "part"), [(name, part) for name in PARTS for part in PARTS[name]])
@pytest.mark.parametrize("damage", [lose_a_weight, truncate, empty])
def test_damaged_weights_are_said_to_be_broken(tiny_folder, tmp_path, name, part, damage):
    config = damaged(tiny_folder, tmp_path, name, part, damage)
    with pytest.raises(
        CheckpointBroken, match=r"Fetch (it|the checkpoint) again|download the whole repository"
    ):
        load_family(config, "cpu")


@pytest.mark.parametrize("name", CAPABILITIES)
def test_a_checkpoint_without_settings_is_said_to_be_broken(tiny_folder, tmp_path, name):
    config = damaged(tiny_folder, tmp_path, name, "", lose_the_settings)
    with pytest.raises(
        CheckpointBroken, match=r"Fetch (it|the checkpoint) again|download the whole repository"
    ):
        load_family(config, "cpu")


@pytest.mark.parametrize(
    "name",
    [
        "stable_diffusion",
        "instruct_pix2pix",
        "blip2",
        "grounding_dino",
        "grounding_dino_original",
    ],
)
def test_a_checkpoint_without_a_vocabulary_is_said_to_be_broken(tiny_folder, tmp_path, name):
    config = damaged(tiny_folder, tmp_path, name, "", lose_the_vocabulary)
    with pytest.raises(CheckpointBroken, match="no vocabulary"):
        load_family(config, "cpu")
