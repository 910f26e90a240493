"""`factory models calibrate`, and the warning of a model that is not calibrated."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from structlog.testing import capture_logs
from typer.testing import CliRunner

from chatgenimage.factory.app import warn_if_uncalibrated
from chatgenimage.factory.calibration import KnownPairs, summary_of
from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.workers.values import LogitScale

WORLD = Path(__file__).parent.parent / "data" / "world"
PICTURES = {"dog": ["dog_in_a_forest", "dog_on_a_beach"], "car": ["car_in_a_desert"]}
TRUE = np.linspace(0.101, 0.2, 100)


@pytest.fixture
def folder(tmp_path):
    """A folder per label, and a file that is no picture."""
    for label, names in PICTURES.items():
        (tmp_path / "pairs" / label).mkdir(parents=True)
        for name in names:
            shutil.copy(WORLD / f"{name}.png", tmp_path / "pairs" / label)
    (tmp_path / "pairs" / "dog" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "pairs"


def run(*words):
    return CliRunner().invoke(app, ["models", "calibrate", "micro", *map(str, words)])


@pytest.mark.models
def test_the_threshold_of_known_pairs_is_written_into_a_copy(folder, tmp_path):
    copy = tmp_path / "mine.yaml"
    done = run("--pairs", folder, "--keep", "1", "--write", copy, "--json")
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    assert (measured["true_pairs"], measured["other_pairs"]) == (3, 3)
    assert measured["separation"] == 1
    assert (measured["kept_true"], measured["kept_other"]) == (1, 0)
    assert (measured["logit_scale"], measured["logit_bias"]) == (100, None)
    assert measured["skipped"] == ["dog/broken.png is not a heic, jpeg, jpg, png, webp picture"]
    written = yaml.safe_load(copy.read_text())
    assert written["thresholds"]["clip_similarity_min"] == measured["clip_similarity_min"]
    assert written["thresholds"]["blur_max"] == load_settings("micro").thresholds.blur_max


@pytest.mark.models
def test_one_label_alone_cannot_be_compared(folder):
    shutil.rmtree(folder / "car")
    done = run("--pairs", folder)
    assert done.exit_code == 2
    assert "has readable pictures of 1 label; expected at least 2 folders" in done.output


def test_a_threshold_keeps_at_least_the_share_that_is_asked_for():
    pairs = KnownPairs("similarity", TRUE, TRUE - 0.1, LogitScale(100.0))
    threshold = pairs.threshold_that_keeps(0.95)
    assert threshold == pytest.approx(0.105, abs=0.0011)
    assert 0.95 <= pairs.kept(threshold)[0] < 0.97
    assert pairs.threshold_that_keeps(1.0) <= TRUE.min()


@pytest.mark.parametrize(
    ("other", "separation"), [(TRUE - 0.2, 1.0), (TRUE, 0.5), (TRUE + 0.2, 0.0)]
)
def test_the_separation_is_the_share_of_comparisons_that_the_true_pair_wins(other, separation):
    assert KnownPairs("s", TRUE, other, LogitScale(100.0)).separation == pytest.approx(separation)


def test_the_summary_of_siglip_names_its_own_boundary():
    pairs = KnownPairs("similarity", TRUE, TRUE - 0.1, LogitScale(100.0, -12.0))
    lines = summary_of(pairs, 0.105, 0.2)
    assert "bias -12.0: probability 0.5 at a cosine of 0.120" in lines[0]
    assert lines[-1] == "In force, 0.2: keeps 1.0% of the true pairs and 0.0% of the others"


class Encoder:
    def __init__(self, bias):
        self.logit_scale = LogitScale(100.0, bias)


@pytest.mark.parametrize(
    ("least", "bias", "is_warned"), [(0.2, -12.0, True), (0.2, None, False), (0.1, -12.0, False)]
)
def test_a_model_unlike_clip_with_clips_threshold_is_warned_of(least, bias, is_warned):
    settings = load_settings("sd15", thresholds={"clip_similarity_min": least})
    with capture_logs() as logs:
        warn_if_uncalibrated(settings, "similarity", Encoder(bias))
    assert [entry["event"] for entry in logs] == ["similarity_uncalibrated"] * is_warned
