"""The family `blocks`: one class with every capability that a chain needs, without a network.

The colour of a block is a hash of a word, so that the same family finds what it has painted.
"""

import hashlib
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Self

import numpy as np

from chatgenimage.workers.image_options import refuse_unfit
from chatgenimage.workers.values import (
    NO_OPTIONS,
    BoxXyxy,
    Detection,
    Embeddings,
    ImageOptions,
    LogitScale,
    Mask,
    ModelIdentity,
    RgbImage,
)
from chatgenimage_blocks.settings import BlocksConfig

SMALL_WORDS = frozenset({"a", "an", "and", "at", "in", "of", "on", "the", "to", "with"})
CELLS = 3
"""Blocks in a row; an image has room for the first nine words of a prompt."""
GAP_PX = 4
GRID = 8
"""Side of the grid of mean values that is an image's embedding."""
CONFIDENCE = 0.9
DARKEST = 64


class Blocks:
    """Paints, fills, edits, captions, detects, cuts out and embeds coloured blocks."""

    def __init__(self, config: BlocksConfig) -> None:
        self._config = config

    @classmethod
    def load(cls, config: BlocksConfig, device: str) -> Self:  # noqa: ARG003  # has no weights
        """Return the family, ready to use."""
        return cls(config)

    @property
    def identity(self) -> ModelIdentity:
        """Return the package as the checkpoint; its version is the revision."""
        settings = {"size_px": self._config.size_px}
        return ModelIdentity("blocks", "blocks", version("chatgenimage-blocks"), settings)

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[RgbImage]:
        """Return an image per prompt: a block for each word on a background of the seed."""
        return self.generate_with(prompts, seeds, [NO_OPTIONS] * len(prompts))

    def generate_with(
        self, prompts: Sequence[str], seeds: Sequence[int], options: Sequence[ImageOptions]
    ) -> list[RgbImage]:
        """Return the same images in the sizes that their labels ask for."""
        refuse_unfit(self._config.option_limits, options)
        usual = (self._config.size_px, self._config.size_px)
        return [
            _paint(prompt, seed, each.size_wh or usual)
            for prompt, seed, each in zip(prompts, seeds, options, strict=True)
        ]

    def fill(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[str],
        seeds: Sequence[int],  # noqa: ARG002  # a colour has no variations
    ) -> list[RgbImage]:
        """Return the images with the mask in the colour of the prompt's first word."""
        filled = [image.copy() for image in images]
        for image, mask, prompt in zip(filled, mask_images, prompts, strict=True):
            image[mask] = colour_of((words_of(prompt) or ["nothing"])[0])
        return filled

    def edit(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the images with another background; blocks stay as they are."""
        edited = [image.copy() for image in images]
        for image, instruction, seed in zip(edited, instructions, seeds, strict=True):
            image[(image == image[0, 0]).all(axis=2)] = colour_of(f"{instruction} {seed}")
        return edited

    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return the number of colours; words cannot be read back from them."""
        return [f"blocks in {len(np.unique(one.reshape(-1, 3), axis=0))} colours" for one in images]

    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return a box around the colour of each label's last word, where there is one."""
        return [
            [
                Detection(label, CONFIDENCE, box)
                for label in dict.fromkeys(asked)
                if (words := words_of(label)) and (box := _box_of(image, colour_of(words[-1])))
            ]
            for image, asked in zip(images, labels, strict=True)
        ]

    def segment(
        self, images: Sequence[RgbImage], boxes_xyxy: Sequence[Sequence[BoxXyxy]]
    ) -> list[list[Mask]]:
        """Return, for each box, the pixels in it with the colour of its centre."""
        return [
            [_cut_out(image, box) for box in boxes]
            for image, boxes in zip(images, boxes_xyxy, strict=True)
        ]

    @property
    def logit_scale(self) -> LogitScale:
        """Return CLIP's: texts are all alike here."""
        return LogitScale(100.0)

    def embed_images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Return a coarse grid of mean values of each image as a unit vector."""
        vectors = [_pooled(image) for image in images]
        return np.array(vectors, dtype=np.float32).reshape(-1, GRID * GRID)

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return the same vector for every text: blocks say nothing about language."""
        return np.full((len(texts), GRID * GRID), 1 / GRID, dtype=np.float32)


def words_of(text: str) -> list[str]:
    """Return the words of a text that have a block, each once."""
    words = re.findall(r"[a-z]+", text.lower())
    return [word for word in dict.fromkeys(words) if word not in SMALL_WORDS]


def colour_of(word: str) -> tuple[int, int, int]:
    """Return the colour of a word: (red, green, blue) from 64 to 255."""
    red, green, blue = (byte | DARKEST for byte in hashlib.sha256(word.encode()).digest()[:3])
    return red, green, blue


def _paint(prompt: str, seed: int, size_wh: tuple[int, int]) -> RgbImage:
    width, height = size_wh
    image = np.empty((height, width, 3), dtype=np.uint8)
    image[:] = colour_of(f"background {seed}")
    side = min(size_wh) // CELLS
    for index, word in enumerate(words_of(prompt)[: CELLS * CELLS]):
        top, left = (side * place + GAP_PX for place in divmod(index, CELLS))
        image[top : top + side - GAP_PX, left : left + side - GAP_PX] = colour_of(word)
    return image


def _box_of(image: RgbImage, colour: tuple[int, int, int]) -> BoxXyxy | None:
    rows, columns = np.nonzero((image == colour).all(axis=2))
    if not rows.size:
        return None
    return float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0


def _cut_out(image: RgbImage, box: BoxXyxy) -> Mask:
    left, top, right, bottom = (round(edge) for edge in box)
    mask = np.zeros(image.shape[:2], dtype=np.bool_)
    centre = image[(top + bottom) // 2, (left + right) // 2]
    mask[top:bottom, left:right] = (image[top:bottom, left:right] == centre).all(axis=2)
    return mask


def _pooled(image: RgbImage) -> Embeddings:
    rows = np.array_split(image.mean(axis=2), GRID)
    cells = [cell.mean() for row in rows for cell in np.array_split(row, GRID, axis=1)]
    vector = np.array(cells) + 1.0  # a black image has a direction, too
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
