"""Stand-ins for the model families: no weights, no torch, deterministic answers.

An object is a rectangle in a colour of its own, so the detector finds painted objects and the
filters have real differences to measure. `inside` replaces the families' modules with this one;
the registry, the steps and the image store are the real ones.
"""

import hashlib
import re
import time

import numpy as np

from chatgenimage.workers.values import Detection, LogitScale, ModelIdentity

WORDS = (
    *("dog", "panda", "elephant", "penguin", "frog", "car", "bus", "boat"),
    *("tree", "cactus", "sunflower", "mushroom", "house", "castle", "ball", "balloon"),
)
SIDE_PX = 64
SLOT_PX = 20
SLOTS = 3
OBJECT_RED = 255
PASS_S = 0.04
"""Duration of a forward pass, so that faults can occur during it."""


class _Family:
    def __init__(self, config):
        self.identity = ModelIdentity(config.family, config.checkpoint, "chaos")

    @classmethod
    def load(cls, config, _device):
        return cls(config)


class StableDiffusion(_Family):
    def generate(self, prompts, seeds):
        time.sleep(PASS_S)
        return [paint(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    def fill(self, images, mask_images, prompts, seeds):
        time.sleep(PASS_S)
        filled = []
        for image, mask, prompt, seed in zip(images, mask_images, prompts, seeds, strict=True):
            painted = mask & (np.arange(mask.shape[1]) % 2 == 0) if seed % 5 == 0 else mask
            result = image.copy()
            result[painted if seed % 4 else np.roll(painted, 9, 1) & mask] = colour_of(
                next(iter(words_in(prompt)), "ball")
            )
            filled.append(result)
        return filled


class InstructPix2Pix(_Family):
    def edit(self, images, instructions, seeds):
        time.sleep(PASS_S)
        edited = []
        for image, instruction, seed in zip(images, instructions, seeds, strict=True):
            result = image.copy()
            result[image[..., 0] < OBJECT_RED] = background_of(instruction, seed)
            if seed % 7 == 0:
                result[: SIDE_PX // 2] = background_of(instruction, seed)
            edited.append(result)
        return edited


class Blip(_Family):
    def caption(self, images):
        time.sleep(PASS_S)
        return [" and ".join(f"a {word}" for word in shown(image)) for image in images]


class GroundingDino(_Family):
    def detect(self, images, labels):
        time.sleep(PASS_S)
        return [
            sorted(
                (found for name in names if (found := find(image, name))),
                key=lambda detection: (-detection.confidence, detection.label),
            )
            for image, names in zip(images, labels, strict=True)
        ]


class SegmentAnything(_Family):
    def segment(self, images, boxes_xyxy):
        return [
            [whole(box, image.shape[:2]) for box in boxes]
            for image, boxes in zip(images, boxes_xyxy, strict=True)
        ]


class OpenClip(_Family):
    logit_scale = LogitScale(100.0)

    def embed_images(self, images):
        return np.stack([_unit(shown(image)) for image in images])

    def embed_texts(self, texts):
        return np.stack([_unit(words_in(text)) for text in texts])


def peak_signal_noise_ratio(before, after, *, data_range):
    """Replace scikit-image's function, whose import takes longer than a whole run."""
    error = np.mean((before.astype(float) - after.astype(float)) ** 2)
    return 10 * np.log10(data_range**2 / error)


def structural_similarity(before, after, **_):
    """Replace scikit-image's function: the share of equal pixels, and where they are equal."""
    same = (before == after).all(axis=2).astype(float)
    return same.mean(), same


def phash(image):
    """Replace imagehash's function: images with the same words are similar."""
    return _digest(shown(np.asarray(image)))[:8].hex()


def paint(prompt, seed):
    """Return an image of the prompt's objects, each in a slot that the seed chooses."""
    image = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    image[:] = background_of(prompt, seed)
    rng = np.random.default_rng(seed)
    slots = rng.permutation(SLOTS * SLOTS)
    for word, slot in zip(words_in(prompt), slots, strict=False):
        y, x = (int(part) * SLOT_PX + 1 for part in divmod(int(slot), SLOTS))
        height, width = rng.integers(12, SLOT_PX, 2)
        image[y : y + height, x : x + width] = colour_of(word)
    return image


def find(image, name):
    """Return the box of the name's colour, None if it is not there."""
    rows, columns = np.nonzero((image == colour_of(name)).all(axis=2))
    if not len(rows):
        return None
    box = tuple(
        float(side) for side in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    )
    return Detection(name, 0.3 + 0.7 * _digest(name, box)[0] / 255, box)


def whole(box, shape_hw):
    """Return the box as a mask."""
    x_min, y_min, x_max, y_max = (round(side) for side in box)
    mask = np.zeros(shape_hw, np.bool_)
    mask[y_min:y_max, x_min:x_max] = True
    return mask


def shown(image):
    """Return the words whose colours are in the image."""
    return [word for word in WORDS if (image == colour_of(word)).all(axis=2).any()]


def words_in(text):
    """Return the known words of a text, in its order."""
    return [word for word in dict.fromkeys(re.findall(r"\w+", text)) if word in WORDS]


def colour_of(word):
    """Return the unique colour of a word."""
    return (OBJECT_RED, *_digest(word)[:2])


def background_of(text, seed):
    """Return a colour that no object has."""
    red, green, blue = _digest(text, seed)[:3]
    return (red // 2, green, blue)


def _digest(*parts):
    return hashlib.sha256(repr(parts).encode()).digest()


def _unit(words):
    vector = np.array([1e-3, *(word in words for word in WORDS)], np.float32)
    return vector / np.linalg.norm(vector)
