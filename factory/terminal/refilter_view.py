"""Effects of refiltering a run, as a table for people and as values for programs."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chatgenimage.db.models import Rejudging
from chatgenimage.db.states import Verdict
from chatgenimage.factory.curation.refilter import RefilterPreview
from chatgenimage.factory.terminal.tables import colour_of
from chatgenimage.tasks.filter_rules import Limits

MOST_LABELS = 8


def preview_view(seen: RefilterPreview) -> RenderableType:
    """Return the thresholds that change, and who changes sides and why, by label."""
    changed = ", ".join(f"{name} {old:g} -> {new:g}" for name, (old, new) in seen.limits.items())
    total = f"{seen.judged} judged, accepted {seen.accepted_before} -> {seen.accepted_after}"
    parts: list[RenderableType] = [Text(changed or "the thresholds stay as they are"), Text(total)]
    if seen.transitions:
        parts.append(_transitions_table(seen))
    if seen.childless:
        parts.append(
            Text(
                f"{seen.childless} newly accepted without children: judging again makes no images; "
                "submit again with these thresholds to have them varied.",
                style="dim",
            )
        )
    return Group(*parts)


def history_view(submitted: Limits, history: Sequence[Rejudging]) -> RenderableType:
    """Return the thresholds that a run was submitted with, and how they changed since."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("when", "who", "thresholds", "changed verdicts"):
        table.add_column(name)
    table.add_row("", "submitted", _describe_limits(submitted), "")
    before = submitted
    for made in history:
        changed = {n: v for n, v in made.limits.items() if before.get(n) != v}
        when = datetime.fromtimestamp(made.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        table.add_row(when, made.author, _describe_limits(changed), str(len(made.changes)))
        before = {**before, **made.limits}
    return table


def preview_record(seen: RefilterPreview, *, written: bool) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "written": written,
        "thresholds": {name: {"before": o, "after": n} for name, (o, n) in seen.limits.items()},
        "judged": seen.judged,
        "accepted_before": seen.accepted_before,
        "accepted_after": seen.accepted_after,
        "newly_accepted_without_children": seen.childless,
        "changes": [
            {
                "label": label,
                "verdict_before": before,
                "reason_before": reason_before,
                "verdict_after": after,
                "reason_after": reason_after,
                "candidates": count,
            }
            for (label, before, reason_before, after, reason_after), count in sorted(
                seen.transitions.items(), key=str
            )
        ],
    }


def history_record(submitted: Limits, history: Sequence[Rejudging]) -> dict[str, Any]:
    """Return the thresholds of a run and its rejudgings as JSON values."""
    return {
        "submitted": dict(submitted),
        "rejudgings": [
            {
                "created_at": made.created_at,
                "author": made.author,
                "thresholds": made.limits,
                "changes": len(made.changes),
            }
            for made in history
        ],
    }


def _transitions_table(seen: RefilterPreview) -> Table:
    labels = sorted({label for label, *_ in seen.transitions})
    labels = labels if len(labels) <= MOST_LABELS else []
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("from")
    table.add_column("to")
    for name in (*labels, "all"):
        table.add_column(Text(name), justify="right")
    counts: Counter[tuple[str, str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for (label, before, reason_before, after, reason_after), count in seen.transitions.items():
        kind = (_in_words(before, reason_before), _in_words(after, reason_after))
        counts[*kind, label] += count
        kinds[kind] += count
    for kind, total in kinds.most_common():
        cells = [str(counts[*kind, label] or "") for label in labels]
        table.add_row(*(Text(side, _colour(side)) for side in kind), *cells, str(total))
    return table


def _in_words(verdict: Verdict, reason: str | None) -> str:
    return f"{verdict}: {reason}" if reason else str(verdict)


def _colour(text: str) -> str:
    return colour_of(text.partition(":")[0])


def _describe_limits(limits: Limits) -> str:
    return ", ".join(f"{name} {limit:g}" for name, limit in limits.items()) or "as before"
