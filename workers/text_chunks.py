"""Chunks of a text: parts that a text encoder with a short context can read one by one."""

import re
from collections.abc import Callable, Sequence

BREAKS = (r"(?<=[.!?;])\s+", r"(?<=,)\s+", r"\s+")
"""Places to split a text, the best first: behind sentences, behind phrases, between words."""


def split_text(text: str, fits: Callable[[str], bool], breaks: Sequence[str] = BREAKS) -> list[str]:
    """Return a text in chunks that fit, as few as a split at the best places gives.

    Args:
        text: Any text.
        fits: Whether a text is short enough for one chunk.
        breaks: Patterns of the places to split at; where none is left, a word is halved.

    Returns:
        At least one chunk; the text itself if it fits.
    """
    if fits(text) or len(text) <= 1:
        return [text]
    if not breaks:
        middle = len(text) // 2
        return split_text(text[:middle], fits, ()) + split_text(text[middle:], fits, ())
    chunks: list[str] = []
    for piece in re.split(breaks[0], text.strip()):
        if chunks and fits(joined := f"{chunks[-1]} {piece}"):
            chunks[-1] = joined
        else:
            chunks += split_text(piece, fits, breaks[1:])
    return chunks
