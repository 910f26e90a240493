"""The commands of a card run as they are: torchvision and transformers train, snippets read."""

import contextlib
import io
import re

import pytest

from chatgenimage.factory.export.formats import FORMATS
from tests.factory.card_commands import add_pictures, find_command, trainers
from tests.factory.exports import export_as

NOT_HERE = ("fiftyone", "datumaro")
"""Libraries that the tests do without."""


@pytest.fixture
def out(tmp_path):
    return tmp_path / "dataset"


@pytest.mark.models
@pytest.mark.filterwarnings("ignore")  # other libraries'
@pytest.mark.parametrize(("name", "trainer"), trainers("torchvision", "transformers"))
def test_a_trainer_trains_with_the_copied_command(place, out, name, trainer, monkeypatch):
    export_as(add_pictures(place), name, out)
    command = find_command(out, trainer)
    assert command.language == "python"
    monkeypatch.setenv("HF_HOME", str(out.parent / "hub"))
    monkeypatch.chdir(out)
    with contextlib.redirect_stdout(io.StringIO()) as told:  # here: a process imports for longer
        exec(command.code, {"__name__": "__main__"})  # noqa: S102  # our own
    printed = told.getvalue()
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", printed)]
    assert losses
    assert all(0 < loss < 10_000 for loss in losses)


@pytest.mark.models
@pytest.mark.filterwarnings("ignore")  # other libraries'
@pytest.mark.parametrize("name", FORMATS)
def test_the_snippets_that_read_a_format_run(filled_place, out, name, monkeypatch):
    export_as(filled_place, name, out)
    monkeypatch.setenv("HF_HOME", str(out.parent / "hub"))
    monkeypatch.chdir(out)
    card = (out / "README.md").read_text("utf-8")
    code = re.search(r"## How to read it.*?```python\n(.*?)\n```", card, re.DOTALL)[1]
    for snippet in code.split("\n\n"):
        if not any(f" {library}" in snippet for library in NOT_HERE):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(snippet, {})  # noqa: S102  # our own


def test_every_card_names_the_formats_of_the_other_trainers(filled_place, out):
    export_as(filled_place, "yolo-detect", out)
    card = (out / "README.md").read_text("utf-8")
    assert "### Ultralytics (detect)" in card
    assert "### RF-DETR" in card
    assert "- `transformers-detection`: transformers\n" in card
