"""Groups of a batch: items that a model can process in one pass."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from typing import TypeVar

Text = TypeVar("Text", bound=Sized)
Made = TypeVar("Made")
Option = TypeVar("Option", bound=Hashable)


def group_equal(keys: Iterable[Hashable]) -> Iterator[list[int]]:
    """Yield the indices of equal keys, in order of their first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    yield from groups.values()


def make_alike(
    texts: Sequence[Text],
    seeds: Sequence[int],
    options: Sequence[Option],
    make: Callable[[list[Text], list[int], Option], Sequence[Made]],
) -> list[Made]:
    """Return what `make` makes of each text and seed, in order.

    It gets texts of equal length that have the same options.

    Args:
        texts: E.g. prompts in chunks.
        seeds: One per text.
        options: One per text.
        make: Returns one result per text.
    """
    made: dict[int, Made] = {}
    for group in group_equal(zip(map(len, texts), options, strict=True)):
        own = [texts[index] for index in group]
        results = make(own, [seeds[index] for index in group], options[group[0]])
        made |= zip(group, results, strict=True)
    return [made[index] for index in range(len(texts))]
