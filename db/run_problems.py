"""Problems of a run: what was given up, which placements were refused, which labels got nothing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from chatgenimage.db.error_messages import reason_of
from chatgenimage.db.models import (
    Batch,
    Candidate,
    Item,
    Label,
    Placement,
    Run,
    Step,
    VisualAnswer,
)
from chatgenimage.db.states import SURPLUS, ItemState, RunState, Verdict
from chatgenimage.db.subjects import locate_item

MOST_REASONS = 50
NAMED_LABELS = 10
TRACE_END = 2000
"""Characters of a traceback that its reason is looked for in."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Items that one step gave up for one reason.

    Attributes:
        label: Of one of them, an example.
        key: Of its candidate or prompt, e.g. "b0/g3"; of its batch where there is neither.
    """

    step: str
    reason: str
    count: int
    label: str
    key: str


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many labels, and the names of the first."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problems:
    """What went wrong in a run.

    Attributes:
        given_up: By step and reason, most frequent first, then the earliest; `MOST_REASONS` at
            most.
        quarantined: How many items were given up.
        settled: How many items are done or given up.
        refused: Placements that break a rule, by its name, most frequent first.
        placements: How many placements were proposed.
        unread: Answers of the judge from which no score was read, by score, most frequent first.
        judged: How many answers the judge gave.
        without_candidates: Labels for which nothing was made.
        without_accepted: Labels for which something was made and nothing accepted.
    """

    given_up: tuple[GivenUp, ...] = ()
    quarantined: int = 0
    settled: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    placements: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    judged: int = 0
    without_candidates: LabelCount = LabelCount()
    without_accepted: LabelCount = LabelCount()

    @property
    def is_failure(self) -> bool:
        """Return whether a run that ended with these failed: work was lost, not only rejected."""
        return self.quarantined > 0 or self.without_candidates.count > 0


def find_problems(session: Session, run_id: int) -> Problems:
    """Return what went wrong in a run so far; which labels got nothing only once it is over."""
    is_over = session.get_one(Run, run_id).state in {RunState.DONE, RunState.CANCELLED}
    states = _count_items(session, run_id)
    refused, placements = _count_placements(session, run_id)
    unread, judged = _count_answers(session, run_id)
    made = Candidate.label_id == Label.id
    accepted = made & (Candidate.verdict == Verdict.ACCEPTED)
    return Problems(
        given_up=_list_given_up(session, run_id) if states[ItemState.QUARANTINED] else (),
        quarantined=states[ItemState.QUARANTINED],
        settled=states[ItemState.QUARANTINED] + states[ItemState.DONE],
        refused=refused,
        placements=placements,
        unread=unread,
        judged=judged,
        without_candidates=_find_labels(session, run_id, ~_any(made)) if is_over else LabelCount(),
        without_accepted=_find_labels(session, run_id, _any(made), ~_any(accepted))
        if is_over
        else LabelCount(),
    )


def find_common_failure(session: Session, run_id: int, least: int) -> GivenUp | None:
    """Return why everything fails: no item is done, and `least` were given up for one reason."""
    done = select(Item.id).where(Item.state == ItemState.DONE, Item.step_id.in_(_steps_of(run_id)))
    if session.scalar(done.limit(1)) is not None:
        return None
    given_up = _list_given_up(session, run_id)
    return given_up[0] if len(given_up) == 1 and given_up[0].count >= least else None


def _any(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(Candidate.id).where(condition).exists()


def _count_items(session: Session, run_id: int) -> Counter[str]:
    states: Counter[str] = Counter()
    rows = session.execute(
        select(Item.state, func.count())
        .where(Item.step_id.in_(_steps_of(run_id)))
        .group_by(Item.state)
    )
    for state, count in rows:
        states[state] = count
    return states


def _list_given_up(session: Session, run_id: int) -> tuple[GivenUp, ...]:
    """Return the most frequent reasons of given-up items, each with an example."""
    length = func.length(Item.error)
    # A negative start is counted from the end in SQLite.
    end = func.substr(Item.error, case((length > TRACE_END, length - TRACE_END), else_=1))
    rows = session.execute(
        select(Step.name, end, func.count(), func.min(Item.id))
        .join(Step, Step.id == Item.step_id)
        .where(Item.state == ItemState.QUARANTINED, Item.step_id.in_(_steps_of(run_id)))
        .group_by(Step.name, end)
        .order_by(func.min(Item.id))
    )
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], int] = {}
    for step, trace, count, item_id in rows:
        kind = step, reason_of(trace)
        counts[kind] += count
        examples[kind] = min(item_id, examples.get(kind, item_id))
    return tuple(
        GivenUp(step, reason, count, *locate_item(session, examples[step, reason]))
        for (step, reason), count in counts.most_common(MOST_REASONS)
    )


def _count_placements(session: Session, run_id: int) -> tuple[dict[str, int], int]:
    rows = session.execute(
        select(Placement.problem, func.count())
        .join(Candidate, Candidate.id == Placement.candidate_id)
        .where(Candidate.run_id == run_id)
        .group_by(Placement.problem)
        .order_by(func.count().desc(), Placement.problem)
    ).all()
    refused = {problem: count for problem, count in rows if problem not in {None, SURPLUS}}
    return refused, sum(count for _, count in rows)


def _count_answers(session: Session, run_id: int) -> tuple[dict[str, int], int]:
    of_run = (
        select(VisualAnswer.name, func.count(), func.count(VisualAnswer.value))
        .join(Candidate, Candidate.id == VisualAnswer.candidate_id)
        .where(Candidate.run_id == run_id)
        .group_by(VisualAnswer.name)
    )
    rows = session.execute(of_run.order_by(VisualAnswer.name)).all()
    counted = Counter({name: count - read for name, count, read in rows if count > read})
    return dict(counted.most_common()), sum(count for _, count, _ in rows)


def _find_labels(session: Session, run_id: int, *conditions: ColumnElement[bool]) -> LabelCount:
    found = select(Label.name).where(Label.run_id == run_id, *conditions)
    names = session.scalars(found.order_by(Label.id).limit(NAMED_LABELS + 1)).all()
    if len(names) <= NAMED_LABELS:
        return LabelCount(len(names), tuple(names))
    count = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    return LabelCount(count, tuple(names[:NAMED_LABELS]))


def _steps_of(run_id: int) -> Select[int]:
    return select(Step.id).join(Batch, Batch.id == Step.batch_id).where(Batch.run_id == run_id)
