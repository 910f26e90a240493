"""Quotas: compute how many more images a label gets."""

from collections.abc import Iterator
from math import ceil

from chatgenimage.db.quotas import Quota


def next_sizes(quota: Quota, batch_size: int) -> list[int]:
    """Return the sizes of a label's next batches; empty at its quota or its limit of images.

    The number of images is estimated from the share accepted so far, and never more than the label
    has already. It depends only on the run's results: equal results give equal batches.
    """
    room = quota.max_images - quota.images
    if not quota.missing or room <= 0:
        return []
    share = quota.accepted / quota.images or 1.0
    return list(split_evenly(min(ceil(quota.missing / share), quota.images, room), batch_size))


def split_evenly(total: int, most: int) -> Iterator[int]:
    """Yield the sizes of the fewest batches of at most `most`; sizes differ by at most 1."""
    count = -(-total // most)
    for index in range(count):
        yield total // count + (index < total % count)
