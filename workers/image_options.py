"""Options of single images: what a generator can follow, and sizes of given proportions."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from chatgenimage.workers.errors import UnfitOptions
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions

SizeWh = tuple[int, int]

MOST_TIMES = 4
"""A size of its own has at most so many times the usual pixels, and at least this part of them; a
side is at most so many times the other. Models paint little that is usable beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionLimits:
    """Options that a generator can follow, as far as its settings say.

    Attributes:
        painter: What messages call it.
        size_wh: Size of an image without options, pixels; None: not known.
        multiple_px: Both sides of an image are multiples of it.
        no_size: Why an image cannot have a size of its own, and what to do; None: it can.
        no_negative_prompt: The same for a negative prompt.
    """

    painter: str
    size_wh: SizeWh | None = None
    multiple_px: int = 1
    no_size: str | None = None
    no_negative_prompt: str | None = None


def find_problem(limits: OptionLimits, options: ImageOptions) -> str | None:
    """Return why a generator cannot follow the options, and what to do; None: it can."""
    if options.negative_prompt and limits.no_negative_prompt:
        return f"`negative_prompt` has no effect: {limits.no_negative_prompt}"
    if options.size_wh is None:
        return None
    if limits.no_size:
        return f"`size` has no effect: {limits.no_size}"
    return _find_size_problem(limits, options.size_wh)


def refuse_unfit(limits_of: Callable[[], OptionLimits], options: Iterable[ImageOptions]) -> None:
    """Check the options of the images of a pass; the limits are only asked for if there are any.

    Raises:
        UnfitOptions: If the generator cannot follow one.
    """
    for each in dict.fromkeys(options):
        if each != NO_OPTIONS and (problem := find_problem(limits_of(), each)):
            raise UnfitOptions(f"{problem}.")


def size_of_aspect(limits: OptionLimits, aspect: SizeWh) -> SizeWh:
    """Return the size with about these proportions and the generator's usual number of pixels.

    Args:
        limits: Of the generator.
        aspect: E.g. (3, 2).

    Raises:
        UnfitOptions: If the usual size is not known.
    """
    if limits.no_size:
        raise UnfitOptions(f"`size` has no effect: {limits.no_size}")
    if limits.size_wh is None:
        raise UnfitOptions(
            f"`size` is a proportion, and {limits.painter} has sizes of its own that are not known "
            "here; write one of them in pixels, such as 1536x1024"
        )
    pixels, ratio = math.prod(limits.size_wh), aspect[0] / aspect[1]
    width = math.sqrt(pixels * ratio)

    def misfit(size_wh: SizeWh) -> float:
        """Return how far a size is from both the proportions and the number of pixels."""
        shape = math.log(size_wh[0] / size_wh[1] / ratio)
        return abs(shape) + abs(math.log(math.prod(size_wh) / pixels))

    widths, heights = (_neighbours(side, limits.multiple_px) for side in (width, width / ratio))
    return min(product(widths, heights), key=misfit)


def spell_size(size_wh: SizeWh) -> str:
    """Return a size as people write it: 768x512."""
    return "x".join(map(str, size_wh))


def _neighbours(side: float, multiple: int) -> tuple[int, int]:
    """Return the multiples below and above a side; it is both if it is one."""
    return max(math.floor(side / multiple), 1) * multiple, math.ceil(side / multiple) * multiple


def _find_size_problem(limits: OptionLimits, size_wh: SizeWh) -> str | None:
    """Return why a size cannot be painted, and which sizes can; None if it can."""
    size, multiple = spell_size(size_wh), limits.multiple_px
    if any(side % multiple for side in size_wh):
        smaller, larger = zip(*(_neighbours(side, multiple) for side in size_wh), strict=True)
        return (
            f"`size` is {size}, and {limits.painter} paints sides that are multiples of "
            f"{multiple}; write {spell_size(smaller)} or {spell_size(larger)}"
        )
    if limits.size_wh is None:
        return None
    usual = math.prod(limits.size_wh)
    share = math.prod(size_wh) / usual
    if not 1 / MOST_TIMES <= share <= MOST_TIMES or max(size_wh) > MOST_TIMES * min(size_wh):
        return (
            f"`size` is {size}, and {limits.painter} paints {spell_size(limits.size_wh)}; expected "
            f"{usual // MOST_TIMES} to {usual * MOST_TIMES} pixels in all (width times height), "
            f"and no side more than {MOST_TIMES} times the other"
        )
    return None
