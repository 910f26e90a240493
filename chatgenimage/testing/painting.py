"""Contract checks of families that paint: generators, editors, fillers."""

import numpy as np

from chatgenimage.testing.contract import require, require_images, same_image, sample_images
from chatgenimage.workers.errors import UnfitOptions
from chatgenimage.workers.interfaces import (
    BackgroundEditor,
    ImageGenerator,
    ObjectFiller,
    OptionsGenerator,
)
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, Mask, RgbImage

PROMPTS = ("a dog in a forest", "a cat on a beach", "a house in a city street")
SEEDS = (1, 2, 3)
INSTRUCTIONS = ("change the background to a beach", "change the background to a forest")
PAINTED = (slice(20, 50), slice(10, 40))
"""The part of each image that is filled: rows and columns."""
LEAST_CHANGED = 0.5


def check_generated_images(generator: ImageGenerator) -> None:
    """One RGB image per prompt, all of one size."""
    images = generator.generate(PROMPTS, SEEDS)
    require_images(images, len(PROMPTS))
    sizes = {image.shape for image in images}
    require(len(sizes) == 1, f"expected images of one size, found {sorted(sizes)}")


def check_generator_is_repeatable(generator: ImageGenerator) -> None:
    """Prompt and seed give the same image in any batch, and another seed another image."""
    together = generator.generate(PROMPTS, SEEDS)
    (alone,) = generator.generate(PROMPTS[2:], SEEDS[2:])
    require(same_image(together[2], alone), "the same seed gives another image in another batch")
    one, other = generator.generate(PROMPTS[:1] * 2, SEEDS[:2])
    require(not same_image(one, other), "two seeds give the same image")


def check_generator_without_prompts(generator: ImageGenerator) -> None:
    """No prompts give no images."""
    require_images(generator.generate([], []), 0)


def check_generator_follows_sizes(generator: OptionsGenerator) -> None:
    """An image with a size of its own has it, whatever else is in the batch, or it is refused."""
    usual, other = generator.generate(PROMPTS[:2], SEEDS[:2])
    height, width = usual.shape[:2]
    wide = ImageOptions((2 * width, height))
    try:
        together = generator.generate_with(PROMPTS, SEEDS, [wide, NO_OPTIONS, wide])
    except UnfitOptions:
        return
    require_images(together, len(PROMPTS))
    shapes = [image.shape for image in together]
    expected = [(height, 2 * width, 3), (height, width, 3), (height, 2 * width, 3)]
    require(shapes == expected, f"expected the shapes {expected}, found {shapes}")
    require(same_image(together[1], other), "without options an image differs from `generate`")
    (alone,) = generator.generate_with(PROMPTS[2:], SEEDS[2:], [wide])
    require(same_image(together[2], alone), "the same seed gives another image in another batch")


def check_generator_follows_negative_prompts(generator: OptionsGenerator) -> None:
    """A negative prompt changes its image and no other one, or it is refused."""
    named = ImageOptions(negative_prompt=PROMPTS[2])
    plain = generator.generate(PROMPTS[:2], SEEDS[:2])
    try:
        images = generator.generate_with(PROMPTS[:2], SEEDS[:2], [named, NO_OPTIONS])
    except UnfitOptions:
        return
    require(not np.array_equal(images[0], plain[0]), "a negative prompt changes nothing")
    require(same_image(images[1], plain[1]), "a negative prompt changes another image")


def check_edited_sizes(editor: BackgroundEditor) -> None:
    """Each edited image has the size of its input, and differs from it."""
    images = sample_images()[:2]
    edited = editor.edit(images, INSTRUCTIONS, SEEDS[:2])
    require_images(edited, 2)
    for before, after in zip(images, edited, strict=True):
        require(before.shape == after.shape, f"{before.shape} became {after.shape}")
        require(not same_image(before, after), "an edit changed nothing")


def check_editor_is_repeatable(editor: BackgroundEditor) -> None:
    """Image, instruction and seed give the same image in any batch."""
    images = sample_images()
    together = editor.edit(images, (*INSTRUCTIONS, INSTRUCTIONS[0]), SEEDS)
    (alone,) = editor.edit(images[2:], INSTRUCTIONS[:1], SEEDS[2:])
    require(same_image(together[2], alone), "the same seed gives another image in another batch")


def check_editor_without_images(editor: BackgroundEditor) -> None:
    """No images give no images."""
    require_images(editor.edit([], [], []), 0)


def check_fill_changes_only_the_mask(filler: ObjectFiller) -> None:
    """Pixels outside of the mask stay the same, most inside change, the input is left alone."""
    images = sample_images()
    before = [image.copy() for image in images]
    masks = _masks(images)
    filled = filler.fill(images, masks, PROMPTS, SEEDS)
    require_images(filled, len(images))
    for given, kept, after, mask in zip(images, before, filled, masks, strict=True):
        require(np.array_equal(given, kept), "the given image was changed")
        require(after.shape == kept.shape, f"{kept.shape} became {after.shape}")
        require(np.array_equal(after[~mask], kept[~mask]), "a pixel outside the mask changed")
        share = (after[mask] != kept[mask]).mean()
        require(share > LEAST_CHANGED, f"only {share:.0%} of the mask was painted")


def check_filler_is_repeatable(filler: ObjectFiller) -> None:
    """The same input and seed give the same image in any batch."""
    images = sample_images()
    masks = _masks(images)
    together = filler.fill(images, masks, PROMPTS, SEEDS)
    (alone,) = filler.fill(images[2:], masks[2:], PROMPTS[2:], SEEDS[2:])
    require(same_image(together[2], alone), "the same seed gives another image in another batch")


def check_filler_without_images(filler: ObjectFiller) -> None:
    """No images give no images, and an empty mask changes nothing."""
    require_images(filler.fill([], [], [], []), 0)
    image = sample_images()[0]
    empty = np.zeros(image.shape[:2], dtype=np.bool_)
    (filled,) = filler.fill([image], [empty], PROMPTS[:1], SEEDS[:1])
    require(np.array_equal(filled, image), "an empty mask changed the image")


def _masks(images: list[RgbImage]) -> list[Mask]:
    masks = [np.zeros(image.shape[:2], dtype=np.bool_) for image in images]
    for mask in masks:
        mask[PAINTED] = True
    return masks
