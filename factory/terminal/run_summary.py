"""What a finished run shows: the funnel, where everything lies, and what to type next."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from chatgenimage.db.run_progress import RunOverview, overview
from chatgenimage.db.runs import get_run
from chatgenimage.db.session import connect, reading
from chatgenimage.db.states import Origin
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.progress.quota_text import format_accepted, format_reasons, list_missed
from chatgenimage.factory.query.json_records import quota_record
from chatgenimage.factory.reports.contact_sheet import write_contact_sheet
from chatgenimage.factory.settings.model import Settings


def show_summary(settings: Settings, run_id: int, spell: Callable[..., str]) -> None:
    """Print the funnel, the paths and the next commands; write the contact sheet.

    Args:
        settings: Of the run.
        run_id: Its number.
        spell: Returns a command, given by its words, as one types it for the same place.
    """
    summary = summary_json(settings, run_id)
    console = Console(markup=False)
    with reading(connect(settings.resolved_database_url())) as session:
        now = overview(session, run_id)
        console.print(funnel_table(now))
        for line in list_missed(get_run(session, run_id), now):
            console.print(line, style="yellow", highlight=False, soft_wrap=True)
    if summary["contact_sheet"]:
        console.print(f"Contact sheet  {summary['contact_sheet']}", soft_wrap=True)
    console.print(f"Database       {summary['database']}", soft_wrap=True)
    console.print("Next")
    for words in _next_commands(run_id, summary["made"]):
        console.print(f"  {spell(*words)}", highlight=False, soft_wrap=True)


def summary_json(settings: Settings, run_id: int) -> dict[str, Any]:
    """Return the same as values, for scripts."""
    sessions = connect(settings.resolved_database_url())
    with reading(sessions) as session:
        now = overview(session, run_id)
    path = settings.data_dir / f"run-{run_id}-contact-sheet.png"
    images = open_images(settings)
    return {
        "run": run_id,
        "made": {origin.value: _of_origin(now.made, origin) for origin in Origin},
        "accepted": {origin.value: _of_origin(now.accepted, origin) for origin in Origin},
        "rejected": _by_reason(now),
        "quotas": [quota_record(quota) for quota in now.quotas],
        "contact_sheet": str(path)
        if write_contact_sheet(sessions, images, path, run_id=run_id)
        else None,
        "database": make_url(settings.resolved_database_url()).render_as_string(),
    }


def _next_commands(run_id: int, made: Mapping[str, int]) -> Iterator[tuple[object, ...]]:
    query, of_run = ("query", "--verdict", "accepted"), ("--run", run_id)
    if made[Origin.IMPORTED]:
        yield ("gallery",)
        yield (*query, *of_run)
        yield ("export", "label-studio", "--out", "annotated", *of_run, "--verdict", "any")
        return
    yield ("status", run_id)
    yield ("gallery",)
    yield (*query, "--origin", "filled")
    yield ("export", "coco", "--out", "dataset", *of_run)


def funnel_table(now: RunOverview) -> Table:
    """Return what was made and what became of it, per label."""
    table = Table(title="What became of it", title_justify="left", box=None)
    table.add_column("label")
    made_of = {origin for _, origin in now.made}
    origins = [origin for origin in Origin if origin in made_of]
    for origin in origins:
        table.add_column(origin.value, justify="right")
    table.add_column("accepted", justify="right", style="green")
    table.add_column("rejected, by reason", style="yellow")
    for label in sorted({label for label, _ in now.made}):
        made = [f"{now.accepted[label, origin]}/{now.made[label, origin]}" for origin in origins]
        table.add_row(label, *made, format_accepted(now, label), format_reasons(now, label))
    return table


def _of_origin(counts: dict[tuple[str, str], int], origin: Origin) -> int:
    return sum(count for (_, found), count in counts.items() if found == origin)


def _by_reason(now: RunOverview) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for (_, reason), count in now.rejected.items():
        reasons[reason] = reasons.get(reason, 0) + count
    return reasons
