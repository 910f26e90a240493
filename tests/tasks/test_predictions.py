"""Ranking of several fills, with an encoder that returns the mean colour of an image."""

import numpy as np

from chatgenimage.db.states import Origin
from chatgenimage.tasks.image_lineage import Lineage
from chatgenimage.tasks.predictions import choose_best, predict, seed_of
from chatgenimage.workers.values import LogitScale

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
MASK = np.zeros((32, 32), dtype=bool)
MASK[8:20, 8:20] = True


class ColourEncoder:
    logit_scale = LogitScale(100.0)

    def embed_images(self, images):
        means = np.stack([image.mean(axis=(0, 1)) for image in images]).astype(np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def embed_texts(self, texts):
        return np.array([COLOURS[text.split()[-1]] for text in texts], dtype=np.float32)


class RecordingFiller:
    def __init__(self):
        self.seeds = []

    def fill(self, images, _mask_images, _prompts, seeds):
        self.seeds.append(list(seeds))
        return list(images)


def lineage(prompt_text, seed):
    return Lineage(1, 1, 1, "dog", "b0/g0/e0/f0", seed, Origin.FILLED, 1, prompt_text)


def canvas(colour):
    """Return a grey image with its box in one colour."""
    image = np.full((32, 32, 3), 90, dtype=np.uint8)
    image[MASK] = np.array(COLOURS[colour]) * 255
    return image


def test_each_box_gets_the_prediction_that_is_most_like_its_own_prompt():
    lineages = [lineage("all red", 5), lineage("all blue", 6)]
    predictions = [
        [canvas("green"), canvas("blue")],
        [canvas("blue"), canvas("green")],
        [canvas("red"), canvas("red")],
    ]
    chosen, notes = choose_best(ColourEncoder(), predictions, [MASK, MASK], lineages)
    np.testing.assert_array_equal(chosen[0], canvas("red"))
    np.testing.assert_array_equal(chosen[1], canvas("blue"))
    assert [note["fill_prediction"] for note in notes] == [2, 0]
    assert [note["fill_predictions"] for note in notes] == [3, 3]
    for note in notes:
        similarities = note["fill_similarities"]
        assert similarities[note["fill_prediction"]] == max(similarities)
    assert notes[1]["fill_prediction_seed"] == 6


def test_a_colour_outside_the_box_s_surroundings_does_not_count():
    far_blue = canvas("red")
    far_blue[26:, :] = (0, 0, 255)
    predictions = [[canvas("green")], [far_blue]]
    _, (note,) = choose_best(ColourEncoder(), predictions, [MASK], [lineage("all blue", 1)])
    assert max(note["fill_similarities"]) < 0.7


def test_every_prediction_has_a_seed_of_its_own_and_the_first_the_candidate_s():
    filler, lineages = RecordingFiller(), [lineage("all red", 5), lineage("all red", 6)]
    assert len(list(predict(filler, [canvas("red")] * 2, [MASK] * 2, lineages, 3))) == 3
    assert filler.seeds[0] == [5, 6]
    assert len({seed for seeds in filler.seeds for seed in seeds}) == 6
    assert filler.seeds[2] == [seed_of(one, 2) for one in lineages]
