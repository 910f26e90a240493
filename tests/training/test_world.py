import numpy as np
import pytest
from PIL import Image, ImageDraw

from training.backgrounds import PAINTERS, SIZE_PX, paint_background
from training.dataset import NO_OBJECT, Dataset, create_columns, render_rows
from training.words import BOOK, all_words, detector_vocabulary, write_caption
from training.world import (
    BACKGROUNDS,
    CLOSE_UP_PX,
    LABELS,
    MAX_OVERLAP,
    MIN_SIDE_PX,
    World,
    WorldScene,
    resize_sprite,
    tight_box,
)

COLORS = {"dog": (255, 0, 0, 255), "tree": (0, 255, 0, 255), "car": (0, 0, 255, 255)}
SCENES = 60


def draw_sprite(color):
    picture = Image.new("RGBA", (128, 128))
    ImageDraw.Draw(picture).ellipse((20, 30, 108, 100), fill=color)
    return resize_sprite(picture)


@pytest.fixture(scope="module")
def world():
    return World({label: draw_sprite(color) for label, color in COLORS.items()})


@pytest.fixture(scope="module")
def pairs(world) -> list[tuple[WorldScene, WorldScene]]:
    rng = np.random.default_rng(3)
    return [world.pair(rng) for _ in range(SCENES)]


def test_a_box_is_tight_on_its_mask(pairs):
    for scene, _ in pairs:
        for placed in scene.objects:
            assert placed.box_xyxy == tight_box(placed.mask)


def test_a_mask_shows_its_sprite(pairs):
    for scene, _ in pairs:
        for placed in scene.objects:
            inside = scene.image[placed.mask].mean(0)
            assert inside.argmax() == list(COLORS).index(placed.label)


def test_masks_do_not_share_pixels(pairs):
    for scene, _ in pairs:
        assert np.sum([placed.mask for placed in scene.objects], axis=0).max() == 1


def test_sides_obey_the_placement_rule(pairs):
    for scene, _ in pairs:
        for placed in scene.objects:
            left, top, right, bottom = placed.box_xyxy
            assert min(right - left, bottom - top) >= MIN_SIDE_PX * (1 - MAX_OVERLAP) - 1
            assert max(right - left, bottom - top) <= CLOSE_UP_PX[1]


def test_objects_stand_from_left_to_right(pairs):
    for scene, _ in pairs:
        centres = [placed.box_xyxy[0] + placed.box_xyxy[2] for placed in scene.objects]
        assert centres == sorted(centres)


def test_a_pair_shares_its_objects_and_nothing_else(pairs):
    for before, after in pairs:
        assert before.background != after.background
        assert [p.label for p in before.objects] == [p.label for p in after.objects]
        for first, second in zip(before.objects, after.objects, strict=True):
            assert (first.mask == second.mask).all()
        assert not np.array_equal(before.image, after.image)


def test_the_same_seed_draws_the_same_scene(world):
    first, second = (world.scene(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.image, second.image)


@pytest.mark.parametrize("name", PAINTERS)
def test_backgrounds_are_canvases_that_vary(name):
    rng = np.random.default_rng(1)
    first, second = paint_background(name, rng), paint_background(name, rng)
    assert first.shape == (SIZE_PX, SIZE_PX, 3)
    assert first.min() >= 0
    assert first.max() <= 1
    assert not np.array_equal(first, second)


def test_backgrounds_are_told_apart_by_their_mean_picture():
    rng = np.random.default_rng(2)
    means = {n: np.mean([paint_background(n, rng) for _ in range(16)], axis=0) for n in PAINTERS}
    for name in PAINTERS:
        picture = paint_background(name, rng)
        nearest = min(means, key=lambda other: np.abs(means[other] - picture).mean())
        assert nearest == name


def test_the_rule_book_speaks_of_the_same_world():
    assert set(BOOK.objects) == set(LABELS)
    assert set(BOOK.backgrounds) == set(BACKGROUNDS)


def test_a_dataset_reads_back_what_was_rendered(world, tmp_path):
    create_columns(5, tmp_path)
    for start, stop in ((3, 6), (0, 3)):
        render_rows(world, 11, tmp_path, start, stop)
    dataset = Dataset.load(tmp_path)
    for index in range(5):
        before, after = world.pair(np.random.default_rng((11, index)))
        assert np.array_equal(dataset.images[index], before.image)
        assert np.array_equal(dataset.edited[index], after.image)
        assert dataset.nouns(index) == [placed.label for placed in before.objects]
        assert dataset.background(index) == before.background
        assert dataset.edited_background(index) == after.background
        count = len(before.objects)
        assert (dataset.labels[index, count:] == NO_OBJECT).all()
        for slot, placed in enumerate(before.objects):
            assert tuple(dataset.boxes_xyxy[index, slot]) == placed.box_xyxy
            assert np.array_equal(dataset.masks(index)[slot], placed.mask)


def test_captions_name_every_object_and_the_place():
    rng = np.random.default_rng(0)
    for _ in range(50):
        caption = write_caption(rng, ["dog", "elephant"], "beach")
        assert "a dog" in caption
        assert "an elephant" in caption
        assert caption.endswith("on a beach")


def test_every_word_of_a_caption_is_in_the_vocabulary():
    rng = np.random.default_rng(0)
    words = set(all_words())
    for background in BACKGROUNDS:
        for label in LABELS:
            caption = write_caption(rng, [label], background, is_close_up=True)
            assert set(caption.replace(",", " , ").replace("-", " - ").split()) <= words


def test_the_detector_keeps_the_numbers_of_berts_marks():
    vocabulary = detector_vocabulary()
    assert vocabulary[101] == "[CLS]"
    assert vocabulary[102] == "[SEP]"
    assert vocabulary[1012] == "."
    assert set(LABELS) <= set(vocabulary)
    assert len(set(vocabulary)) == len(vocabulary)
