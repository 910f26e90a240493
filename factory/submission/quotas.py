"""Quotas: how many more images a label gets for it."""

from collections.abc import Iterator
from math import ceil

from chatgenimage.db.quotas import Quota


def next_sizes(quota: Quota, batch_size: int) -> list[int]:
    """Return the sizes of the batches that a label gets next; none if it has its quota or its cap.

    As many images as its accepted share so far promises to need, at most as many as it has. What
    came out of a run decides, and nothing else: the same run gives the same batches again.
    """
    room = quota.max_images - quota.images
    if not quota.missing or room <= 0:
        return []
    share = quota.accepted / quota.images or 1.0
    return list(split_evenly(min(ceil(quota.missing / share), quota.images, room), batch_size))


def split_evenly(total: int, most: int) -> Iterator[int]:
    """Yield the sizes of the fewest batches of at most `most`, as alike as can be."""
    count = -(-total // most)
    for index in range(count):
        yield total // count + (index < total % count)
