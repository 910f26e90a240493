"""Quotas: how many more images a label gets until as many are accepted as were asked for."""

from collections.abc import Iterator
from math import ceil

from db.closing import LabelCount


def next_sizes(label: LabelCount, batch_size: int) -> list[int]:
    """Return the sizes of the batches that a label gets next; none if it has its quota or its cap.

    As many images as its accepted share so far promises to need, at most as many as it has. What
    came out of a run decides, and nothing else: the same run gives the same batches again.
    """
    missing, room = label.quota - label.accepted, label.max_images - label.images
    if missing <= 0 or room <= 0:
        return []
    promising = ceil(missing * label.images / label.accepted) if label.accepted else label.images
    return list(split_evenly(min(promising, label.images, room), batch_size))


def split_evenly(total: int, most: int) -> Iterator[int]:
    """Yield the sizes of the fewest batches of at most `most`, as alike as can be."""
    count = -(-total // most)
    for index in range(count):
        yield total // count + (index < total % count)
