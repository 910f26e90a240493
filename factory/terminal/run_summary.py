"""Summary of a finished run: the funnel, what went wrong, paths, and the commands to type next."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from chatgenimage.db.addresses import show_address
from chatgenimage.db.domains import list_coverage
from chatgenimage.db.errors import ImageBroken, ImageMissing, StorageUnavailable
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.run_progress import RunOverview, overview
from chatgenimage.db.runs import get_run
from chatgenimage.db.session import connect, reading
from chatgenimage.db.states import Origin
from chatgenimage.factory.commands import spell
from chatgenimage.factory.foreign_text import SafeConsole
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.problems import has_failed, problem_lines, problems_record
from chatgenimage.factory.progress.quota_text import list_missed
from chatgenimage.factory.query.json_records import quota_record
from chatgenimage.factory.reports.contact_sheet import default_path, write_contact_sheet
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.terminal.coverage_view import coverage_view
from chatgenimage.factory.terminal.results_view import results_view


def draw_contact_sheet(
    settings: Settings, run_id: int, warn: Callable[[str], object]
) -> Path | None:
    """Write the contact sheet of a run to its default path.

    Returns:
        The path; None if the run has nothing accepted, or if an image cannot be read: `warn` gets
        the reason, and the results are shown without the sheet.
    """
    sessions, path = connect(settings.resolved_database_url()), default_path(settings, run_id)
    folder, images = settings.data_dir, open_images(settings)
    try:
        count = write_contact_sheet(sessions, images, path, run_id=run_id, data_dir=folder)
    except (StorageUnavailable, ImageMissing, ImageBroken) as error:
        warn(f"No contact sheet: {error} Later: `{spell('contact-sheet', '--run', run_id)}`.")
        return None
    return path if count else None


def show_summary(settings: Settings, run_id: int, contact_sheet: Path | None) -> dict[str, Any]:
    """Print the funnel, what went wrong, paths and next commands.

    Returns:
        The same as values.
    """
    summary = summary_json(settings, run_id, contact_sheet)
    console = SafeConsole(markup=False)
    with reading(connect(settings.resolved_database_url())) as session:
        now = overview(session, run_id)
        for part in (*results_view(session, run_id), *coverage_view(session, run_id)):
            console.print(part, soft_wrap=isinstance(part, Text))
        trouble = list_missed(get_run(session, run_id), now)
        for line in trouble + problem_lines(run_id, find_problems(session, run_id)):
            console.print(line, style="yellow", highlight=False, soft_wrap=True)
    if summary["contact_sheet"]:
        console.print(f"Contact sheet  {summary['contact_sheet']}", soft_wrap=True)
    console.print(f"Database       {summary['database']}", soft_wrap=True)
    console.print("Next")
    for words in _next_commands(summary):
        console.print(f"  {spell(*words)}", highlight=False, soft_wrap=True)
    return summary


def summary_json(settings: Settings, run_id: int, contact_sheet: Path | None) -> dict[str, Any]:
    """Return the same as values, for scripts."""
    sessions = connect(settings.resolved_database_url())
    with reading(sessions) as session:
        now, state = overview(session, run_id), get_run(session, run_id).state
        problems = find_problems(session, run_id)
        coverage = [asdict(cell) for cell in list_coverage(session, run_id)]
    return {
        "run": run_id,
        "state": state,
        "failed": has_failed(state, problems),
        "made": {origin.value: _of_origin(now.made, origin) for origin in Origin},
        "accepted": {origin.value: _of_origin(now.accepted, origin) for origin in Origin},
        "rejected": _by_reason(now),
        "problems": problems_record(problems),
        "quotas": [quota_record(quota) for quota in now.quotas],
        "coverage": coverage,
        "contact_sheet": None if contact_sheet is None else str(contact_sheet),
        "database": show_address(settings.resolved_database_url()),
    }


def _next_commands(summary: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """Yield commands that find something: which ones depends on what the run made."""
    of_run = ("--run", summary["run"])
    accepted, query = summary["accepted"], ("query", "--verdict", "accepted", *of_run)
    if not any(summary["made"].values()):
        yield ("status", summary["run"])
        return
    if summary["made"][Origin.IMPORTED]:
        yield ("gallery",)
        if any(accepted.values()):
            yield query
        yield ("export", "label-studio", "--out", "annotated", *of_run, "--verdict", "any")
        return
    yield ("status", summary["run"])
    yield ("gallery",)
    if not any(accepted.values()):
        yield ("thresholds", summary["run"])
        return
    yield (*query, "--origin", "filled") if accepted[Origin.FILLED] else query
    yield ("export", "coco", "--out", "dataset", *of_run)


def _of_origin(counts: dict[tuple[str, str], int], origin: Origin) -> int:
    return sum(count for (_, found), count in counts.items() if found == origin)


def _by_reason(now: RunOverview) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for (_, reason), count in now.rejected.items():
        reasons[reason] = reasons.get(reason, 0) + count
    return reasons
