"""Groups of a batch: items that a model can process in one pass."""

from collections.abc import Hashable, Iterable, Iterator


def group_equal(keys: Iterable[Hashable]) -> Iterator[list[int]]:
    """Yield the indices of equal keys, in order of their first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    yield from groups.values()
