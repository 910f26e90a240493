"""Quotas: compute how many images each domain of a label gets, and how many more."""

from collections.abc import Iterator, Sequence
from itertools import count
from math import ceil

from chatgenimage.db.quotas import Quota, share_evenly


def next_sizes(quota: Quota, batch_size: int) -> list[int]:
    """Return the sizes of the next batches; empty at the quota or at the limit of images.

    The number of images is estimated from the share accepted so far, and never more than there
    are already. It depends only on the run's results: equal results give equal batches.
    """
    room = quota.max_images - quota.images
    if not quota.missing or room <= 0:
        return []
    share = quota.accepted / quota.images or 1.0
    return list(split_evenly(min(ceil(quota.missing / share), quota.images, room), batch_size))


def split_evenly(total: int, most: int) -> Iterator[int]:
    """Yield the sizes of the fewest batches of at most `most`; sizes differ by at most 1."""
    yield from share_evenly(total, -(-total // most))


def split_for_preview(
    total: int, domains: Sequence[str] | None, most: int
) -> Iterator[tuple[str | None, int]]:
    """Yield the same as `split_over_domains`, but the first batch has one image."""
    (domain, size), *others = split_over_domains(total, domains, most)
    yield domain, 1
    if size > 1:
        yield domain, size - 1
    yield from others


def is_split_for_preview(first: int, total: int, domains: Sequence[str] | None, most: int) -> bool:
    """Return whether only `split_for_preview` gives a first batch of `first` images."""
    (_, size), *_ = split_over_domains(total, domains, most)
    return first < size


def split_over_domains(
    total: int, domains: Sequence[str] | None, most: int
) -> Iterator[tuple[str | None, int]]:
    """Yield domain and size of each first batch of a label, domain by domain.

    Args:
        total: Number of images of the label.
        domains: At most `total`, which are divided evenly among them; the first domains get what
            is left over. None or empty: the batches have no domain.
        most: Largest size of a batch.
    """
    names = domains or (None,)
    for domain, share in zip(names, share_evenly(total, len(names)), strict=True):
        for size in split_evenly(share, most):
            yield domain, size


def is_reachable(quota: int, images: int, per_image: int, domains: int) -> bool:
    """Return whether `images` can give as many accepted candidates as the quota, in each domain.

    Args:
        quota: Accepted candidates of a label.
        images: Most images for them.
        per_image: Most candidates that an image gives, itself included.
        domains: Number of domains that quota and images are divided among; 0: none.
    """
    shares = (share_evenly(number, domains or 1) for number in (quota, images))
    return all(asked <= most * per_image for asked, most in zip(*shares, strict=True))


def reachable_instead(quota: int, images: int, per_image: int, domains: int) -> tuple[int, int]:
    """Return the largest quota for these images, and the fewest images for this quota."""
    quotas, numbers = count(images * per_image, -1), count(ceil(quota / per_image))
    return (
        next(one for one in quotas if is_reachable(one, images, per_image, domains)),
        next(one for one in numbers if is_reachable(quota, one, per_image, domains)),
    )
