"""Sentence for a run that has no image yet: what it waits for, or why there is none."""

from rich.text import Text
from sqlalchemy.orm import Session

from chatgenimage.db.models import Run
from chatgenimage.db.run_progress import RunOverview
from chatgenimage.db.states import RunState
from chatgenimage.db.waits import count_current_steps
from chatgenimage.factory.commands import spell

ENDS = {
    RunState.PAUSED: "No image yet: the run is paused. Resume it with: {resume}",
    RunState.CANCELLED: "No image: the run was cancelled before its first one.",
    RunState.DONE: "No image: the run ended without one.",
}


def no_images_line(session: Session, run: Run, counts: RunOverview) -> Text:
    """Return what a run without images waits for: batches to start, or steps to be done."""
    if run.state in ENDS:
        ended = ENDS[RunState(run.state)].format(resume=spell("resume", run.id))
        return Text(ended, style="dim")
    parts = []
    if counts.batches_waiting:
        parts.append(f"{_batches(counts.batches_waiting)} not started")
    for step, count in count_current_steps(session, run.id).items():
        parts.append(f"{_batches(count)} at the step {step}")
    return Text(f"No image yet: {', '.join(parts) or 'no batch is left to start'}.", style="dim")


def _batches(count: int) -> str:
    return f"{count:,} {'batch is' if count == 1 else 'batches are'}"
