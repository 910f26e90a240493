"""Runs as tables for people."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from chatgenimage.db.error_messages import reason_of
from chatgenimage.db.models import Run
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.run_progress import overview
from chatgenimage.db.runs import QuarantinedItem
from chatgenimage.db.spending import Spending, spending
from chatgenimage.db.states import WHOLE_STEP, Verdict
from chatgenimage.factory.problems import problem_lines
from chatgenimage.factory.progress.live_view import render
from chatgenimage.factory.progress.quota_text import list_missed
from chatgenimage.factory.terminal.results_view import results_view

COLOURS: dict[str | None, str] = {Verdict.ACCEPTED: "green", Verdict.REJECTED: "yellow"}


def status_view(session: Session, run: Run, *, now: float, width: int) -> RenderableType:
    """Return a run's state, the counts of its steps, and the results of its candidates.

    Args:
        session: To read with.
        run: Which run.
        now: Seconds since the epoch.
        width: Columns of the screen.
    """
    counts = overview(session, run.id, by_label=False)
    head = Text(f"{run.state}, mode {run.mode}, seed {run.seed}", style="dim")
    steps = render(counts, run.id, (run.finished_at or now) - run.created_at, width)
    spent = spending_line(spending(session, run))
    return Group(head, spent, steps, "", *results_view(session, run.id))


def trouble_of(session: Session, run: Run) -> list[str]:
    """Return which quotas a run missed and what went wrong in it, a line each."""
    counts = overview(session, run.id, by_label=False)
    if missed := list_missed(run, counts):  # their lines need the counts of each label
        missed = list_missed(run, overview(session, run.id))
    return missed + problem_lines(run.id, find_problems(session, run.id))


def spending_line(spent: Spending) -> Text:
    """Return one line: questions to the language model, tokens and cost of a run."""
    text = Text(
        f"{spent.calls} questions to models: {spent.reused} answered from memory, "
        f"{spent.refused} refused; {spent.prompt_tokens} tokens sent, "
        f"{spent.completion_tokens} received, cost {spent.cost:.4f}",
        style="dim",
    )
    if spent.budget is not None:
        text.append(f" of {spent.budget:.2f}")
    if spent.token_budget is not None:
        text.append(f", at most {spent.token_budget} tokens")
    if spent.unknown:
        text.append(
            f"; {spent.unknown} answers came without a count of tokens, so their cost is unknown",
            style="not dim yellow",
        )
    return text


def colour_of(verdict: str | None) -> str:
    """Return the style that a verdict is printed in."""
    return COLOURS.get(verdict, "dim")


def quarantine_table(items: Sequence[QuarantinedItem]) -> Table:
    """Return what was given up, each with why."""
    table = Table(title="Given up", title_justify="left", box=None, header_style="dim")
    for name in ("item", "label", "candidate", "step", "round", "subject", "attempts", "error"):
        table.add_column(name)
    for item in items:
        subject = "whole step" if item.subject_id == WHOLE_STEP else str(item.subject_id)
        numbers = (str(item.round), subject, str(item.attempts))
        table.add_row(
            str(item.item_id),
            Text(item.label),
            item.key,
            item.step,
            *numbers,
            Text(reason_of(item.error), style="red"),
        )
    return table
