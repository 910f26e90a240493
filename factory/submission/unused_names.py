"""Names in a profile's tables by class that no class of a run has: entries without an effect."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from chatgenimage.factory.submission.label_files import shorten
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.words import class_of_word

OF_OBJECTS = ("box_thresholds", "phrases", "painted")
"""Tables about any class that is looked for."""
OF_LABELS = ("styles", "negative_prompts", "sizes")
"""Tables about the first images of a label."""
SHOWN_NAMES = 3
SIMILAR = 0.6
"""Least similarity of a name to the one that was probably meant, in [0, 1]."""


def list_unused_names(chain: ChainOptions, labels: Sequence[str]) -> list[str]:
    """Return a warning for each table of the profile with names that the run does not have.

    Args:
        chain: Options of the run, the words of its label files included.
        labels: The classes asked for; none: they are not known, and nothing is reported.
    """
    if not labels:
        return []
    classes = [*labels, *(class_of_word(word, chain) for word in chain.class_list)]
    known = {**dict.fromkeys(OF_OBJECTS, classes), **dict.fromkeys(OF_LABELS, labels)}
    found = [_describe(table, getattr(chain, table), known[table]) for table in known]
    found.append(_describe("classes", dict.fromkeys(chain.classes.values()), classes))
    return [warning for warning in found if warning]


def list_doubtful_names(chain: ChainOptions) -> Iterator[str]:
    """Yield a sentence for each name that resembles one of the class list, labels unknown."""
    for table in OF_OBJECTS:
        for name in getattr(chain, table):
            meant = None if name in chain.class_list else _meant(name, chain.class_list)
            if meant is not None:
                yield (
                    f"chain.{table} has {shorten(name)}, and chain.class_list {shorten(meant)}: "
                    f"one of them may be misspelt, unless a label is called {shorten(name)}"
                )


def _describe(table: str, entries: Mapping[str, object], known: Collection[str]) -> str | None:
    """Return the warning about the entries of a table that have no effect; None: all have."""
    free = [name for name in known if name not in entries]
    unused = {name: _meant(name, free) for name in entries if name not in known}
    if not unused:
        return None
    # Names with a likely spelling first: the others may be labels of other runs.
    ordered = sorted(unused, key=lambda name: unused[name] is None)
    shown = ", ".join(_suggest(name, unused[name]) for name in ordered[:SHOWN_NAMES])
    more = f" and {len(unused) - SHOWN_NAMES} more" if len(unused) > SHOWN_NAMES else ""
    if table in OF_LABELS:
        return (
            f"Without effect in chain.{table}: {shown}{more}; no label of this run has that name."
        )
    return (
        f"Probably without effect in chain.{table}: {shown}{more}; no label of this run and no "
        "entry of chain.class_list has that name."
    )


def _suggest(name: str, meant: str | None) -> str:
    return shorten(name) if meant is None else f"{shorten(name)} (did you mean {shorten(meant)}?)"


def _meant(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most like a name, compared without case; None: none is."""
    by_folded = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=SIMILAR)
    return by_folded[found[0]] if found else None
