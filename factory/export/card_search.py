"""Sentences of a dataset card about the classes that were looked for on each image."""

from collections.abc import Iterator, Sequence

from chatgenimage.db.models import Run
from chatgenimage.tasks.options import run_options


def describe_search(runs: Sequence[Run]) -> Iterator[str]:
    """Yield which classes have boxes on an image; nothing for runs of one label or of pictures."""
    searched = {
        _has_all_classes(run)
        for run in runs
        if len(run.labels) > 1 and run_options(run).chain.source == "prompts"
    }
    if False in searched:
        where = "On images" if len(searched) == 1 else "On images of some runs"
        yield (
            f"{where} the detector looked for the label of the image, the profile's class list and "
            "nouns of the caption: **objects of other classes may be there without a box.**"
        )
    if True in searched:
        where = "On each image" if len(searched) == 1 else "On each image of the other runs"
        yield f"{where} the detector looked for all labels of its run."


def _has_all_classes(run: Run) -> bool:
    chain = run_options(run).chain
    names = {label.name for label in run.labels}
    return chain.search_for == "run" or names <= set(chain.class_list)
