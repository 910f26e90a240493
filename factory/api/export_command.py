"""Command line that repeats an export from Python; a dataset card has it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chatgenimage.factory.commands import PROGRAM
from chatgenimage.factory.export.class_choice import CLASSES_FILE
from chatgenimage.factory.export.request import ExportRequest
from chatgenimage.factory.query.filters import Filters

OPTIONS = {
    "verdict": "--verdict",
    "label": "--label",
    "origin": "--origin",
    "reason": "--reason",
    "round": "--round",
    "objects": "--object",
    "duplicates_of": "--duplicates-of",
    "caption": "--caption",
    "domain": "--domain",
    "marked": "--marked",
}
"""Option of `factory export` for each keyword that has one value or several."""
FOLDER = "FOLDER"
"""In place of a folder that another person has elsewhere."""


def spell_export(request: ExportRequest, filters: Filters) -> str:
    """Return the command; like a typed one it leaves out places and the number of the run.

    Args:
        request: The export.
        filters: As the call was given them.
    """
    words = [PROGRAM, "export", request.format.name, "--out", request.out_dir.name]
    words += ["--splits", str(request.splits), "--seed", str(request.splits.seed)]
    words += [] if request.masks is None else ["--masks", request.masks]
    words += ["--classes", CLASSES_FILE] if request.classes.names is not None else []
    for old, new in request.classes.merged.items():
        words += ["--map", f"{old}={new}"]
    words += ["--extras"] if request.classes.extras else []
    words += ["--originals", FOLDER] * len(request.originals)
    words += ["--strict-splits"] if request.strict_splits else []
    return shlex.join([*words, *_filter_words(filters)])


def _filter_words(filters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options of `factory export` that choose the same candidates as these filters."""
    for key, option in OPTIONS.items():
        for value in _several(filters.get(key)):
            yield from (option, str(value))
    for option, count in zip(
        ("--min-objects", "--max-objects"), filters.get("object_count") or (None, None), strict=True
    ):
        if count is not None:
            yield from (option, str(count))
    for name, (least, most) in (filters.get("scores") or {}).items():
        yield from () if least is None else ("--min", f"{name}={least}")
        yield from () if most is None else ("--max", f"{name}={most}")
    if filters.get("use_reviews"):
        yield "--use-reviews"


def _several(value: Any) -> Sequence[Any]:  # noqa: ANN401  # of any keyword
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)
