"""The benchmark of the data, tried on a few images: its numbers mean nothing here."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from benchmarks.gain.__main__ import main
from benchmarks.gain.renders import draw_everywhere, draw_real, draw_test
from benchmarks.gain.setting import FULL, QUICK
from training.world import BACKGROUNDS, CODEPOINTS, World, load_sprites

pytestmark = [pytest.mark.slow, pytest.mark.models, pytest.mark.processes]


@pytest.fixture(scope="module")
def sprites(tmp_path_factory) -> Path:
    """A folder with a picture of every label: discs of different colours."""
    folder = tmp_path_factory.mktemp("sprites")
    for index, codepoint in enumerate(CODEPOINTS.values()):
        picture = Image.new("RGBA", (128, 128))
        colour = (8 * index, 255 - 8 * index, 40 * index % 256, 255)
        ImageDraw.Draw(picture).ellipse((10, 20, 118, 108), fill=colour)
        picture.save(folder / f"{codepoint}.webp", lossless=True)
    return folder


@pytest.fixture(scope="module")
def world(sprites) -> World:
    every = load_sprites(sprites)
    return World({label: every[label] for label in FULL.labels})


def test_real_and_test_images_share_no_background(world):
    real, test = draw_real(world, FULL, 0), draw_test(world, QUICK)
    assert {image.domain for image in real} == set(FULL.real_backgrounds)
    assert {image.domain for image in test} == set(BACKGROUNDS) - set(FULL.real_backgrounds)


def test_real_images_show_every_label_as_often_as_asked(world):
    shown = [{known.label for known in image.objects} for image in draw_real(world, FULL, 0)]
    assert len(shown) == len(FULL.labels) * FULL.real_per_label
    for label in FULL.labels:
        assert sum(label in labels for labels in shown) >= FULL.real_per_label


def test_a_seed_draws_its_own_real_images(world):
    first, again, other = (draw_real(world, QUICK, seed) for seed in (0, 0, 1))
    assert [image.read() for image in first] == [image.read() for image in again]
    assert first[0].read() != other[0].read()


def test_renders_everywhere_are_on_all_backgrounds(world):
    assert {image.domain for image in draw_everywhere(world, 8)} == set(BACKGROUNDS)


@pytest.fixture(scope="module")
def docs(sprites, tmp_path_factory) -> Path:
    """The folder with the page of a try."""
    folder = tmp_path_factory.mktemp("gain")
    measure(folder, sprites)
    return folder / "docs"


def measure(folder, sprites, *options):
    """Run the benchmark on a few images; its work and its page are in the folder."""
    paths = {"work": folder / "work", "docs": folder / "docs", "sprites": sprites}
    words = [f"--{name}={path}" for name, path in paths.items()]
    assert main(["--quick", "--processes=1", *words, *options]) == 0


def test_the_page_has_every_comparison_and_its_pictures(docs):
    page = (docs / "gain.md").read_text(encoding="utf-8")
    for arm in ("real", "real + augmentation", "real + synthetic", "real + mild augmentation"):
        assert f"\n| {arm} | " in page
    assert "boxes found by the factory" in page
    for picture in ("gain.png", "gain-images.png"):
        assert f"](images/{picture})" in page
        with Image.open(docs / "images" / picture) as image:
            image.verify()


def test_the_page_leaves_out_what_a_seed_has_not_finished(docs, sprites, tmp_path):
    shutil.copytree(docs.parent, tmp_path, dirs_exist_ok=True)
    cells = {cell: json.loads(cell.read_text()) for cell in tmp_path.glob("work/cells/*.json")}
    next(
        cell
        for cell, known in cells.items()
        if (known["arm"], known["seed"]) == ("real + mild augmentation", 1)
    ).unlink()
    measure(tmp_path, sprites, "--page")
    page = (tmp_path / "docs/gain.md").read_text(encoding="utf-8")
    assert "\n| real + mild augmentation | " not in page
    assert "\n| real + synthetic | " in page
    assert len(list(tmp_path.glob("work/cells/*.json"))) == len(cells) - 1
