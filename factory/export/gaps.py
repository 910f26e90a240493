"""Gaps of splits: splits without an image, and labels that a split has nothing of."""

from collections.abc import Iterator, Mapping, Sequence

SHOWN_LABELS = 10


def describe_gaps(counts: Mapping[str, int], lacking: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield one sentence per split that has no image or lacks labels.

    Args:
        counts: Number of images of each split.
        lacking: Labels that splits lack.
    """
    for split, count in counts.items():
        if not count:
            yield f"The split {split} has no image: there are too few families of images."
        elif labels := lacking.get(split):
            yield f"The split {split} has nothing of {_shorten(labels)}."


def _shorten(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:SHOWN_LABELS])
    more = len(labels) - SHOWN_LABELS
    return f"{shown} and {more} more labels" if more > 0 else shown
