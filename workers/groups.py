"""Groups of a batch: items that a model can process in one pass."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from typing import TypeVar

Text = TypeVar("Text", bound=Sized)
Made = TypeVar("Made")


def group_equal(keys: Iterable[Hashable]) -> Iterator[list[int]]:
    """Yield the indices of equal keys, in order of their first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    yield from groups.values()


def make_by_length(
    texts: Sequence[Text],
    seeds: Sequence[int],
    make: Callable[[list[Text], list[int]], Sequence[Made]],
) -> list[Made]:
    """Return what `make` makes of each text and seed, in order; it gets texts of equal length.

    Args:
        texts: Prompts in chunks, e.g.
        seeds: One per text.
        make: Returns one result per text.
    """
    made: dict[int, Made] = {}
    for group in group_equal(map(len, texts)):
        results = make([texts[index] for index in group], [seeds[index] for index in group])
        made |= zip(group, results, strict=True)
    return [made[index] for index in range(len(texts))]
