"""Contract checks of label readers of plug-ins."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from chatgenimage.factory.submission.label_files import COLUMNS, LabelEntry
from chatgenimage.testing.contract import require


def check_label_reader(
    read: Callable[[str, str], Iterator[LabelEntry]],
    text: str,
    labels: Sequence[str],
    *,
    broken: Iterable[str] = (),
) -> None:
    """Check that a reader finds the labels of a text, and reports a broken text.

    Args:
        read: The reader.
        text: Content of a file.
        labels: The labels in it, in order.
        broken: Contents that must give an entry with a problem, and no exception.

    Raises:
        ContractBroken: If it does not.
    """
    entries = list(read(text, "labels"))
    found = [entry.label for entry in entries]
    require(found == list(labels), f"expected {list(labels)}, found {found}")
    for entry in entries:
        require(entry.problem is None, f"{entry.where}: {entry.problem}")
        require("labels" in entry.where, f"{entry.where!r} does not name the file")
        unknown = set(entry.columns) - set(COLUMNS)
        require(not unknown, f"columns {sorted(unknown)}; known ones are {', '.join(COLUMNS)}")
    for content in broken:
        problems = [entry.problem for entry in read(content, "labels") if entry.problem]
        require(problems, f"{content[:40]!r} gave no problem")
