"""`factory models check --batch-sizes`: passes of growing size, and the best of them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from chatgenimage.factory.checkpoints import batch_sizes
from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.workers.errors import OutOfMemory
from chatgenimage.workers.trial import PassTime, time_family, time_passes
from chatgenimage.workers.values import LogitScale, ModelIdentity

SIZE_WH = (64, 64)


def times(*seconds):
    """Return the times of passes of 1, 2, 4, ... items."""
    return [PassTime(2**power, each, 1) for power, each in enumerate(seconds)]


@pytest.mark.parametrize(
    ("some", "best"),
    [
        ({"a": times(1.0, 1.0, 1.0)}, 4),
        ({"a": times(1.0, 2.0, 4.0)}, 1),
        ({"a": times(1.0, 1.0, 1.99)}, 2),
        ({"a": times(1.0, 1.0, 1.0), "b": times(9.0, 9.0)}, 2),
        ({"a": times(1.0, 1.8, 4.4), "b": times(1.0, 1.0, 1.0)}, 4),
    ],
    ids=["larger is faster", "no gain", "hardly any gain", "one does not fit", "together"],
)
def test_the_best_size_is_the_smallest_that_is_about_as_fast_as_any(some, best):
    assert batch_sizes.choose_batch_size(some) == best


@pytest.mark.models
def test_passes_grow_until_the_memory_is_too_small():
    config = load_settings("micro").families["similarity"]
    assert [time.size for time in time_passes(config, "cpu", SIZE_WH, 4)] == [1, 2, 4]


class SmallDevice:
    """A family whose device has room for two images."""

    identity = ModelIdentity("small", "none", "1")
    logit_scale = LogitScale(100.0)

    def embed_images(self, images):
        if len(images) > 2:
            raise OutOfMemory("too many at once")
        return np.zeros((len(images), 3), np.float32)

    def embed_texts(self, texts):
        return np.zeros((len(texts), 3), np.float32)


def test_the_largest_pass_is_the_last_that_fits():
    assert [time.size for time in time_family(SmallDevice(), "cpu", SIZE_WH, 64)] == [1, 2]


@pytest.mark.processes
def test_the_best_size_is_printed_and_written_into_a_copy_of_the_profile(tmp_path):
    written, command = tmp_path / "mine.yaml", ["models", "check", "micro", "--only", "similarity"]
    options = ["--device", "cpu", "--batch-sizes", "--json", "--write", str(written)]
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [time["size"] for time in told["models"]["similarity"]] == [1, 2, 4, 8, 16, 32, 64]
    assert load_settings(written).chain.batch_size == told["best_batch_size"]


def test_a_copy_without_batch_sizes_is_refused(tmp_path):
    result = CliRunner().invoke(app, ["models", "check", "--write", str(tmp_path / "mine.yaml")])
    assert result.exit_code == 2
    assert "needs --batch-sizes" in result.stderr
