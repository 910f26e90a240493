"""The benchmark for a GPU, tried on the CPU with tiny networks: its numbers mean nothing here."""

import json

import pytest
import torch

from benchmarks.gpu import page
from benchmarks.gpu.__main__ import RESULTS_FILE, main
from benchmarks.gpu.painting import difference


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a try of the parts that load every network found."""
    out = tmp_path_factory.mktemp("gpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    few = ["--steps", "1", "--batches", "1", "--parts", "steps", "large"]
    assert main(["--tiny", "--cpu", "--out", str(out), *few]) == 0
    torch.set_num_threads(threads)
    return json.loads((out / RESULTS_FILE).read_text(encoding="utf-8"))


def test_the_whole_chain_ran_and_nothing_was_given_up(results):
    (whole,) = [row for row in results["parts"]["steps"] if row.get("step") == "all"]
    assert set(whole["candidates"]) >= {"generated", "edited"}
    assert whole["quarantined"] == 0
    assert 0 < whole["models_share"] < 1


def test_the_factory_is_measured_against_a_plain_loop(results):
    (row,) = [row for row in results["parts"]["large"] if "images_per_s" in row]
    assert row["times_plain"] == pytest.approx(row["images_per_s"] / row["plain_images_per_s"])


def test_the_page_tells_what_was_measured_between_its_marks(results, tmp_path):
    place = tmp_path / "benchmarks.md"
    place.write_text("# Benchmarks\n\n## Other\n\nwords\n", encoding="utf-8")
    page.write_page(results, place)
    first = place.read_text(encoding="utf-8")
    page.write_page(results, place)
    assert place.read_text(encoding="utf-8") == first
    assert first.startswith("# Benchmarks\n\n## Other\n\nwords\n\n## On a GPU\n\n<!-- gpu -->\n")
    assert "Stable Diffusion XL base" in first
    assert "Two roles on one card" not in first  # it was not measured


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_without_a_gpu_it_says_so_and_measures_nothing(capsys, tmp_path):
    assert main(["--out", str(tmp_path / "out")]) == 1
    assert "no GPU here" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_images_are_compared_level_by_level():
    ones = [torch.zeros(2, 2, 3, dtype=torch.uint8).numpy()] * 2
    others = [ones[0], ones[0] + 3]
    assert difference(ones, others) == {
        "images": 2,
        "max_levels": 3,
        "mean_levels": 1.5,
        "differing_values": 12,
        "values": 24,
    }
