"""Results of a run by label: every label, or of many labels the sums and the worst."""

from collections.abc import Iterator
from dataclasses import replace

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from chatgenimage.db.label_progress import LabelOrder, count_reasons, list_label_progress
from chatgenimage.db.run_progress import RunOverview, overview
from chatgenimage.db.runs import count_labels, get_run
from chatgenimage.db.states import Origin
from chatgenimage.factory.commands import spell
from chatgenimage.factory.progress.collapse_labels import merge_labels
from chatgenimage.factory.progress.quota_text import format_accepted, format_reasons
from chatgenimage.factory.terminal.label_table import label_table
from chatgenimage.factory.terminal.no_images import no_images_line

MOST_LABELS = 40
WORST_LABELS = 15


def results_view(session: Session, run_id: int) -> Iterator[RenderableType]:
    """Yield the results by label; of more than `MOST_LABELS` the sums, then the worst labels.

    Before the first image there is a line about what the run waits for.
    """
    labels = count_labels(session, run_id)
    sums = overview(session, run_id, by_label=False)
    if not sums.made:
        yield no_images_line(session, get_run(session, run_id, with_labels=False), sums)
        return
    if labels <= MOST_LABELS:
        yield funnel_table(overview(session, run_id))
        return
    counts = merge_labels(sums, f"all {labels} labels")
    if count_labels(session, run_id, with_quota=True) < labels:
        counts = replace(counts, quotas=())  # the sum of some quotas says nothing about all labels
    yield funnel_table(counts)
    worst = list_label_progress(
        session, run_id, LabelOrder.ACCEPTED, is_short=True, limit=WORST_LABELS
    )
    if worst:
        yield "\nLabels that lack most"
        yield label_table(worst, count_reasons(session, run_id, [one.label_id for one in worst]))
    yield Text(f"All labels: {spell('status', run_id, '--by-label')}", style="dim")


def funnel_table(now: RunOverview) -> Table:
    """Return the candidates made and accepted, and the reasons of rejections, per label."""
    table = Table(title="Results by label", title_justify="left", box=None)
    table.add_column("label")
    made_of = {origin for _, origin in now.made}
    origins = [origin for origin in Origin if origin in made_of]
    for origin in origins:
        table.add_column(origin.value, justify="right", no_wrap=True)
    table.add_column("accepted", justify="right", style="green", no_wrap=True)
    table.add_column("rejected, by reason", style="yellow")
    for label in dict.fromkeys(label for label, _ in now.made):
        made = [f"{now.accepted[label, origin]}/{now.made[label, origin]}" for origin in origins]
        table.add_row(Text(label), *made, format_accepted(now, label), format_reasons(now, label))
    return table
