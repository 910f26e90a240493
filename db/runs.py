"""Every question about a run as a whole: which there are, what became of their candidates."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Batch, Candidate, Item, Label, Run, Step
from chatgenimage.db.states import ItemState, Origin, Verdict

Outcome = tuple[str, str | None, str | None, int]
"""Origin, verdict, reason, and how many candidates."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What became of the candidates of one origin; those not judged yet are in neither."""

    origin: Origin
    made: int
    accepted: int
    rejected: Mapping[str, int]
    """Counts by reason, most frequent first."""


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """A unit of work that was given up: its last error, what it was given, and who tried it.

    Attributes:
        subject_id: Of the row that the step read; `db.states.WHOLE_STEP` if the step itself failed.
        inputs: What the step read of its subject, such as prompt and seed; None if it could not.
    """

    item_id: int
    label: str
    step: str
    round: int
    subject_id: int
    attempts: int
    error: str
    worker: str | None
    inputs: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line."""

    run_id: int
    state: str
    mode: str
    labels: int
    candidates: int
    accepted: int
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class AcceptedCandidate:
    """What choosing among the accepted needs to know of one."""

    candidate_id: int
    label: str
    origin: str
    parent_id: int | None


def get_run(session: Session, run_id: int | None = None) -> Run:
    """Return a run, the latest one if none is named.

    Raises:
        RowNotFound: If there is no such run.
    """
    query = select(Run).options(selectinload(Run.labels)).order_by(Run.id.desc()).limit(1)
    run = session.scalar(query if run_id is None else query.where(Run.id == run_id))
    if run is not None:
        return run
    latest = session.scalar(select(func.max(Run.id)))
    if latest is None:
        raise RowNotFound("there is no run yet; start with `factory run dog house`.")
    raise RowNotFound(f"no run {run_id}; the latest is {latest}.")


def list_run_ids(session: Session) -> list[int]:
    """Return the number of every run, oldest first."""
    return list(session.scalars(select(Run.id).order_by(Run.id)))


def list_runs(session: Session, limit: int = 20) -> list[RunSummary]:
    """Return the latest runs, newest first."""
    labels = select(func.count()).where(Label.run_id == Run.id).scalar_subquery()
    made = select(func.count()).where(Candidate.run_id == Run.id)
    accepted = made.where(Candidate.verdict == Verdict.ACCEPTED).scalar_subquery()
    rows = session.execute(
        select(
            Run.id,
            Run.state,
            Run.mode,
            labels,
            made.scalar_subquery(),
            accepted,
            Run.created_at,
            Run.finished_at,
        )
        .order_by(Run.id.desc())
        .limit(limit)
    )
    return [RunSummary(*row) for row in rows]


def count_funnel(session: Session, run_id: int) -> tuple[Stage, ...]:
    """Return what was made of each origin and what became of it; imported ones if there are."""
    rows = session.execute(
        select(Candidate.origin, Candidate.verdict, Candidate.reason, func.count())
        .where(Candidate.run_id == run_id)
        .group_by(Candidate.origin, Candidate.verdict, Candidate.reason)
    )
    return _to_stages((origin, verdict, reason, count) for origin, verdict, reason, count in rows)


def count_funnel_by_label(session: Session, run_id: int) -> dict[str, tuple[Stage, ...]]:
    """Return the same for each label that has candidates."""
    by_label: dict[str, list[Outcome]] = defaultdict(list)
    for label, origin, verdict, reason, count in count_outcomes(session, run_id):
        by_label[label].append((origin, verdict, reason, count))
    return {label: _to_stages(outcomes) for label, outcomes in by_label.items()}


def count_outcomes(
    session: Session, run_id: int
) -> Iterator[tuple[str, str, str | None, str | None, int]]:
    """Yield label, origin, verdict and reason, and how many candidates have them; by label."""
    outcome = (Candidate.verdict, Candidate.reason, Candidate.origin, Candidate.label_id)
    counted = (  # as an index has them: counted in passing, without sorting
        select(*outcome, func.count().label("made"))
        .where(Candidate.run_id == run_id)
        .group_by(*outcome)
        .subquery()
    )
    found = counted.c
    rows = session.execute(
        select(Label.name, found.origin, found.verdict, found.reason, found.made)
        .join(Label, Label.id == found.label_id)
        .order_by(Label.name)
    )
    yield from rows


def add_stages(each: Iterable[tuple[Stage, ...]]) -> tuple[Stage, ...]:
    """Return what became of the candidates of several labels together."""
    outcomes: list[Outcome] = []
    for stage in chain.from_iterable(each):
        rejected = [(stage.origin, Verdict.REJECTED, *found) for found in stage.rejected.items()]
        waiting = stage.made - stage.accepted - sum(stage.rejected.values())
        outcomes += [
            (stage.origin, Verdict.ACCEPTED, None, stage.accepted),
            *rejected,
            (stage.origin, None, None, waiting),
        ]
    return _to_stages(outcomes)


def list_quarantined(session: Session, run_id: int, limit: int = 100) -> list[QuarantinedItem]:
    """Return what was given up, in the order of the work."""
    rows = session.execute(
        select(
            Item.id,
            Label.name,
            Step.name,
            Step.round,
            Item.subject_id,
            Item.attempts,
            func.coalesce(Item.error, ""),
            Item.worker,
            Item.inputs,
        )
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .join(Label, Label.id == Batch.label_id)
        .where(Batch.run_id == run_id, Item.state == ItemState.QUARANTINED)
        .order_by(Item.id)
        .limit(limit)
    )
    return [QuarantinedItem(*row) for row in rows]


def list_accepted(session: Session, run_id: int) -> list[AcceptedCandidate]:
    """Return who was accepted, by label and key."""
    rows = session.execute(
        select(Candidate.id, Label.name, Candidate.origin, Candidate.parent_id)
        .join(Label, Label.id == Candidate.label_id)
        .where(Candidate.run_id == run_id, Candidate.verdict == Verdict.ACCEPTED)
        .order_by(Label.name, Candidate.key)
    )
    return [AcceptedCandidate(*row) for row in rows]


def _to_stages(outcomes: Iterable[Outcome]) -> tuple[Stage, ...]:
    made: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    rejected: dict[str, Counter[str]] = {origin: Counter() for origin in Origin}
    for origin, verdict, reason, count in outcomes:
        made[origin] += count
        if verdict == Verdict.ACCEPTED:
            accepted[origin] += count
        elif verdict == Verdict.REJECTED:
            rejected[origin][reason or ""] += count
    return tuple(
        Stage(origin, made[origin], accepted[origin], dict(rejected[origin].most_common()))
        for origin in Origin
        if made[origin] or origin is not Origin.IMPORTED
    )
