"""Folders that are no pipeline: the error says what they seem to be and what to name instead."""

import pytest

from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.weights.pipelines import read_index


@pytest.mark.models
@pytest.mark.parametrize(
    ("files", "part"),
    [
        (["mine.safetensors"], "name it as the checkpoint ({folder}/mine.safetensors) and the"),
        (["config.json", "model.safetensors"], "config.json is that of one network"),
        (["inner/model_index.json", "a.safetensors"], "Name its folder {folder}/inner as the"),
        (["unet/model.safetensors"], "download the whole repository"),
    ],
    ids=["single file", "network", "folder above", "parts"],
)
def test_the_advice_fits_what_is_there(tmp_path, files, part):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(CheckpointBroken, match=r"has no model_index\.json") as caught:
        read_index(tmp_path)
    assert part.format(folder=tmp_path) in str(caught.value)
    assert "Fetch it again" not in str(caught.value)


@pytest.mark.models
def test_an_index_of_another_form_is_refused(tmp_path):
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(CheckpointBroken, match="not a JSON object"):
        read_index(tmp_path)
