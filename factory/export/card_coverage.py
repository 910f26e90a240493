"""Coverage in the dataset card: accepted and wanted images of each label in each domain."""

from collections.abc import Iterator, Mapping, Sequence

from chatgenimage.db.domains import Coverage, to_matrix
from chatgenimage.factory.export.markdown import table_head, table_row

SHOWN_CELLS = 500


def describe_coverage(coverage: Mapping[int, Sequence[Coverage]]) -> Iterator[str]:
    """Yield the lines of the section; nothing if no run has domains.

    Args:
        coverage: That of each run, by its id.
    """
    if not any(coverage.values()):
        return
    yield from ("## Coverage", "")
    yield "Accepted images of each label in each domain, and how many were wanted:"
    for run_id, found in coverage.items():
        if not found:
            continue
        rows = to_matrix(found[:SHOWN_CELLS])
        yield from ("", *table_head("run", "label", *next(iter(rows.values()))))
        for label, cells in rows.items():
            shown = (f"{one.accepted}/{one.wanted}" if one else "-" for one in cells.values())
            yield table_row(run_id, label, *shown)
        if len(found) > SHOWN_CELLS:
            yield from ("", f"The first {SHOWN_CELLS} of {len(found)} cells are listed.")
    yield ""
