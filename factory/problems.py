"""Problems of a run in words, as JSON values, and as the exit code of the command that made it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from chatgenimage.db.run_problems import GivenUp, LabelCount, Problems
from chatgenimage.db.states import RunState
from chatgenimage.factory.commands import spell

SHOWN_REASONS = 10


def has_failed(state: str, problems: Problems) -> bool:
    """Return whether a command that worked off a run ends with exit code 1.

    It does if the run is not done, if items were given up, or if a label has no candidate. Rejected
    candidates are a result, not a failure.
    """
    return state != RunState.DONE or problems.is_failure


def problem_lines(run_id: int, problems: Problems) -> list[str]:
    """Return what went wrong in a run, a line each; empty if nothing did."""
    lines = list(_lines(run_id, problems))
    return ["What went wrong", *(f"  {line}" for line in lines)] if lines else []


def problems_record(problems: Problems) -> dict[str, Any]:
    """Return the same as JSON values; of the labels the number and the first names."""
    return asdict(problems)


def _lines(run_id: int, problems: Problems) -> Iterator[str]:
    """Yield what went wrong in a run, each with the command that helps."""
    if problems.quarantined:
        yield (
            f"{problems.quarantined} of {problems.settled} items were given up; another try for "
            f"them: `{spell('retry', run_id)}`, then `{spell('resume', run_id)}`"
        )
        yield from (f"  {_describe_given_up(one)}" for one in problems.given_up[:SHOWN_REASONS])
        if (more := len(problems.given_up) - SHOWN_REASONS) > 0:
            yield f"  and {more} more reasons"
    if problems.refused:
        refused = sum(problems.refused.values())
        yield (
            f"{refused} of {problems.placements} placements were refused: "
            f"{_counts(problems.refused)}"
        )
    if problems.unread:
        yield (
            f"{sum(problems.unread.values())} of {problems.judged} answers of the judge could not "
            f"be read, and rejected nothing: {_counts(problems.unread)}; `factory show` prints them"
        )
    yield from _describe_labels(problems.without_candidates, "no candidate")
    yield from _describe_labels(problems.without_accepted, "no accepted candidate")


def _describe_given_up(found: GivenUp) -> str:
    return f"{found.count} {found.step}: {found.reason} (e.g. {found.label} {found.key})"


def _describe_labels(labels: LabelCount, lacks: str) -> Iterator[str]:
    if labels.count:
        more = labels.count - len(labels.examples)
        named = ", ".join(labels.examples) + (f" and {more} more" if more else "")
        noun = "label has" if labels.count == 1 else "labels have"
        yield f"{labels.count} {noun} {lacks}: {named}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
