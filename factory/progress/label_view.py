"""Tables of labels and steps that keep their shape on a narrow screen."""

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from chatgenimage.db.label_progress import LabelProgress
from chatgenimage.db.run_progress import RunOverview, StepCount
from chatgenimage.factory.progress.collapse_labels import merge_labels
from chatgenimage.factory.progress.label_rows import LabelRows
from chatgenimage.tasks.chain import QUEUES

UNKNOWN = "—"
WIDEST_LABEL = 24
LEAST_LABEL = 12
LEAST_REASONS = 8
GAP = "  "


def labels_table(rows: LabelRows, most: int, *, with_steps: bool) -> Table:
    """Return a line per label: results, the reasons cut at the end of the line.

    Args:
        rows: The labels.
        most: Most lines.
        with_steps: Whether to add a column for each step.
    """
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    label = {"overflow": "ellipsis", "no_wrap": True}
    table.add_column("label", min_width=LEAST_LABEL, max_width=WIDEST_LABEL, **label)  # type: ignore[arg-type]
    for name in QUEUES if with_steps else ():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("accepted", justify="right", style="green", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column(
        "rejected",
        style="yellow",
        overflow="ellipsis",
        no_wrap=True,
        ratio=1,
        min_width=LEAST_REASONS,
    )
    cells = {(count.label, count.step): count for count in rows.steps}
    for one in rows.labels[:most]:
        steps = [step_cell(cells.get((one.label, name))) for name in QUEUES if with_steps]
        reasons = list_reasons(rows.reasons.get(one.label_id, {}))
        table.add_row(Text(one.label), *steps, _accepted(one), _share(one), Text(reasons))
    return table


def more_labels_line(rows: LabelRows, shown: int) -> Text | None:
    """Return a line about the labels that have no line; None if each has one."""
    more = rows.total - min(shown, len(rows.labels))
    if not more:
        return None
    rest = rows.count_rest(shown)
    parts = {"in work": rest.in_flight, "waiting": rest.waiting, "done": rest.done}
    named = ", ".join(f"{count} {state}" for state, count in parts.items() if count)
    return Text(f"and {more} more labels: {named}", style="dim")


def steps_lines(now: RunOverview, width: int) -> Iterator[Text]:
    """Yield lines with the counts of each step over all labels, as many as needed."""
    counts = {count.step: count for count in merge_labels(now, "all").steps}
    line = Text(no_wrap=True, overflow="ellipsis")
    for name in QUEUES:
        part = Text.assemble((f"{name} ", "dim"), step_cell(counts.get(name)))
        if line and len(line) + len(GAP) + len(part) > width:
            yield line
            line = Text(no_wrap=True, overflow="ellipsis")
        line.append(GAP if line else "").append_text(part)
    yield line


def step_cell(count: StepCount | None) -> Text:
    """Return "done/all", coloured if items are running or were given up."""
    if count is None:
        return Text("·", style="dim")
    total = count.waiting + count.running + count.done + count.quarantined
    text = Text(f"{count.done}/{total}", style="bold cyan" if count.running else "")
    if count.quarantined:
        text.append(f" !{count.quarantined}", style="red")
    return text


def _accepted(one: LabelProgress) -> str:
    """Return a label's number of accepted candidates, with its quota if it has one."""
    return f"{one.accepted}/{one.asked}" if one.has_quota else str(one.accepted)


def _share(one: LabelProgress) -> str:
    """Return the share of a label's judged candidates that was accepted."""
    judged = one.accepted + one.rejected
    return f"{one.accepted / judged:.0%}" if judged else UNKNOWN


def list_reasons(reasons: Mapping[str, int]) -> str:
    """Return reasons with their counts in a line."""
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def cut_lines(lines: Sequence[Text], most: int, kind: str) -> list[Text]:
    """Return the first lines, and one that says how many others there are."""
    if len(lines) <= most:
        return list(lines)
    left = len(lines) - most + 1
    return [*lines[: most - 1], Text(f"and {left} more {kind}", style="dim")]
