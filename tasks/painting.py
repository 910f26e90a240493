"""Painting of first images with the options of their labels: size and negative prompt."""

from collections.abc import Mapping, Sequence
from typing import Any

from chatgenimage.db.models.candidates import LABEL_NEGATIVE_PROMPT
from chatgenimage.workers.errors import UnfitOptions
from chatgenimage.workers.interfaces import ImageGenerator, OptionsGenerator
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, RgbImage

LABEL_SIZE = "label_size_wh"
"""Key in a candidate's model settings: the size that its label asked for."""


def paint(
    generator: ImageGenerator,
    prompts: Sequence[str],
    seeds: Sequence[int],
    options: Sequence[ImageOptions],
) -> list[RgbImage]:
    """Return one image per prompt, by the options of its label.

    Raises:
        UnfitOptions: If the generator cannot follow them.
    """
    if not any(each != NO_OPTIONS for each in options):
        return generator.generate(prompts, seeds)
    if isinstance(generator, OptionsGenerator):
        return generator.generate_with(prompts, seeds, options)
    raise UnfitOptions(
        "the label asks for a size or a negative prompt of its own, and "
        f"{type(generator).__name__} has no method `generate_with`; submit the label without them, "
        "or use another painter."
    )


def notes_of(options: ImageOptions) -> dict[str, Any]:
    """Return the options as they are stored among the settings of a candidate's model."""
    notes = {LABEL_SIZE: options.size_wh, LABEL_NEGATIVE_PROMPT: options.negative_prompt}
    return {name: value for name, value in notes.items() if value is not None}


def options_in(settings: Mapping[str, Any]) -> ImageOptions:
    """Return the options that are stored among the settings of a candidate's model."""
    size = settings.get(LABEL_SIZE)
    return ImageOptions(tuple(size) if size else None, settings.get(LABEL_NEGATIVE_PROMPT))
