import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from chatgenimage.workers import device
from chatgenimage.workers.config import OpenClipConfig
from chatgenimage.workers.device import inference, seeded
from chatgenimage.workers.errors import (
    CheckpointBroken,
    CheckpointNotFound,
    DeviceAbsent,
    OutOfMemory,
)
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.local_files import WeightsSource, loading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "checkpoint"
    (folder / "unet").mkdir(parents=True)
    save_file({"weight": torch.zeros(4)}, folder / "unet" / "model.safetensors")
    (folder / "unet" / "config.json").write_text("{}")
    return folder


def test_a_local_folder_is_taken_as_it_is(folder):
    assert local_files.resolve(WeightsSource(str(folder))) == folder


def test_bundled_names_a_folder_of_the_package():
    with pytest.raises(CheckpointNotFound, match=r"workers/checkpoints/micro/nothing.*make train"):
        local_files.resolve(WeightsSource("bundled:micro/nothing"))


@pytest.mark.parametrize(
    "checkpoint",
    [
        pytest.param("/nowhere/at/all", id="absolute folder"),
        pytest.param("./nowhere", id="relative folder"),
        pytest.param("nowhere", id="bare name"),
        pytest.param("weights/mine.pth", id="file"),
    ],
)
def test_what_is_not_there_and_no_hub_id_is_not_asked_for_on_the_hub(checkpoint):
    with pytest.raises(CheckpointNotFound, match="name a folder, `bundled:<name>` or a hub id"):
        local_files.resolve(WeightsSource(checkpoint))


def test_a_folder_of_pickles_holds_no_weights(tmp_path):
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(CheckpointNotFound, match="not read"):
        local_files.resolve(WeightsSource(str(tmp_path)))


def test_the_revision_changes_with_the_weights_and_with_their_settings(folder):
    before = local_files.revision_of(folder)
    assert local_files.revision_of(folder) == before
    (folder / "unet" / "config.json").write_text('{"prediction_type": "v_prediction"}')
    other_settings = local_files.revision_of(folder)
    save_file({"weight": torch.ones(4)}, folder / "unet" / "model.safetensors")
    assert len({before, other_settings, local_files.revision_of(folder)}) == 3


def test_the_revision_does_not_change_with_the_readme_or_the_place(folder, tmp_path):
    before = local_files.revision_of(folder)
    (folder / "README.md").write_text("better words")
    moved = folder.rename(tmp_path / "moved")
    assert local_files.revision_of(moved) == before


def test_the_revision_of_a_snapshot_is_its_commit(folder):
    snapshot = folder.parent / "snapshots" / COMMIT
    snapshot.parent.mkdir()
    assert local_files.revision_of(folder.rename(snapshot)) == COMMIT


def resolve_offline(monkeypatch, cache, checkpoint):
    """Return the output of a process that must not access the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    code = (
        "from chatgenimage.workers.weights.local_files import *\n"
        f"print(resolve(WeightsSource({checkpoint!r})))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.processes
def test_a_hub_id_that_was_fetched_before_needs_no_hub(monkeypatch, folder, tmp_path):
    repository = tmp_path / "models--owner--name"
    (repository / "snapshots").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = folder.rename(repository / "snapshots" / COMMIT)
    assert resolve_offline(monkeypatch, tmp_path, "owner/name").stdout.strip() == str(snapshot)


@pytest.mark.processes
def test_a_hub_id_that_the_hub_does_not_give_is_said_so(monkeypatch, tmp_path):
    said = resolve_offline(monkeypatch, tmp_path, "owner/name").stderr.splitlines()[-1]
    assert said.startswith(
        "chatgenimage.workers.errors.CheckpointNotFound: no folder owner/name, and the hub"
    )
    assert said.endswith("in the profile.")


def test_the_revision_of_a_single_file_is_the_hash_of_the_file(tmp_path):
    file = tmp_path / "sam.pth"
    file.write_bytes(b"one")
    before = local_files.revision_of(file)
    file.write_bytes(b"two")
    assert local_files.revision_of(file) != before


def test_everything_but_where_the_weights_lie_is_a_setting(folder):
    config = OpenClipConfig(checkpoint=str(folder), revision="main", dtype="bfloat16")
    identity = local_files.identity_of(config, folder)
    assert identity.settings == {"dtype": "bfloat16"}
    assert identity.checkpoint == str(folder)


def test_whatever_a_library_raises_while_loading_becomes_one_line_with_advice():
    with (
        pytest.raises(CheckpointBroken, match=r"a/b does not load: size mismatch\. Fetch"),
        local_files.loading("a/b"),
    ):
        raise RuntimeError("size mismatch\nfor unet.conv_in")


def test_exhausted_memory_is_reported_as_such():
    @inference
    def compute():
        return torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(OutOfMemory, match="Halve the batch") as caught:
        compute()
    assert caught.value.__context__ is None


def test_a_devices_exhausted_memory_is_reported_as_such():
    @inference
    def compute():
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(OutOfMemory, match="CUDA out of memory"):
        compute()


def test_weights_that_do_not_fit_are_not_called_broken():
    with pytest.raises(OutOfMemory, match=r"do not fit .*device_memory_share"), loading("big"):
        raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("name", ["cuda:99", "cuda:5"])
def test_a_device_that_is_not_here_is_told_with_how_many_are(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    device.refuse_absent("cpu")
    device.refuse_absent("cuda")
    device.refuse_absent("cuda:1")
    with pytest.raises(DeviceAbsent, match=rf"no {name}: torch .* sees 2 GPUs"):
        device.refuse_absent(name)


def test_other_faults_of_a_model_pass_through():
    @inference
    def compute():
        return torch.zeros(2) @ torch.zeros(3)

    with pytest.raises(RuntimeError, match="inconsistent"):
        compute()


def test_a_seed_gives_the_same_noise_whatever_was_drawn_before():
    one = torch.randn(4, generator=seeded(7))
    torch.randn(100)
    assert torch.equal(one, torch.randn(4, generator=seeded(7)))


@pytest.mark.parametrize(
    ("asked", "on", "settled"),
    [
        ("auto", "cuda", "float16"),
        ("auto", "cuda:1", "float16"),
        ("auto", "mps", "float32"),
        ("auto", "cpu", "float32"),
        ("bfloat16", "cpu", "bfloat16"),
        ("float32", "cuda", "float32"),
    ],
)
def test_the_precision_suits_the_device_unless_it_was_chosen(asked, on, settled):
    assert device.settle_dtype(asked, on) == settled


def test_stored_values_that_networks_calculate_are_no_unexpected_weights():
    stored = ("text_model.embeddings.position_ids", "position_ids", "bn1.num_batches_tracked")
    local_files.refuse_unexpected(
        [*stored, "layers.0.rotary_emb.inv_freq", "attn.relative_position_index"]
    )
    with pytest.raises(
        CheckpointBroken, match=r"^1 weights have .* among them classifier\.weight;"
    ):
        local_files.refuse_unexpected({*stored, "classifier.weight"})
