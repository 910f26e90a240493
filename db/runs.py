"""Queries for runs as a whole: lists, summaries, and the results of their candidates."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Batch, Candidate, Item, Label, Run, Step
from chatgenimage.db.states import BatchState, ItemState, Origin, RunState, Verdict
from chatgenimage.db.subjects import locate_item

NAMED_LABELS = 5
"""Labels that a run in one line names."""
Outcome = tuple[str, str | None, str | None, int]
"""Origin, verdict, reason and number of candidates."""


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """Results of the candidates of one origin; those not judged yet are only in `made`."""

    origin: Origin
    made: int
    accepted: int
    rejected: Mapping[str, int]
    """Number by reason, most frequent first, equal ones by name."""


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """A unit of work that was given up: its last error, its inputs, and the worker that tried it.

    Attributes:
        key: Of its candidate or prompt, e.g. "b0/g3"; of its batch where there is neither.
        subject_id: Id of the row that the step read; `db.states.WHOLE_STEP` for the step itself.
        inputs: Values read for the subject, such as prompt and seed; None if reading failed.
    """

    item_id: int
    label: str
    key: str
    step: str
    round: int
    subject_id: int
    attempts: int
    error: str
    worker: str | None
    inputs: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line.

    Attributes:
        asked: Sum over its labels of the accepted candidates that were asked for (`quota`), or
            of the images of labels without a quota.
        names: Its first labels as submitted, `NAMED_LABELS` at most.
    """

    run_id: int
    state: str
    mode: str
    labels: int
    candidates: int
    accepted: int
    created_at: float
    finished_at: float | None
    asked: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedCandidate:
    """An accepted candidate, as far as a choice among them needs it."""

    candidate_id: int
    label: str
    origin: str
    parent_id: int | None


def get_run(session: Session, run_id: int | None = None, *, with_labels: bool = True) -> Run:
    """Return a run, the latest one if `run_id` is None.

    Args:
        session: To read with.
        run_id: Id of the run.
        with_labels: Whether its labels are loaded too; a run may have 100,000.

    Raises:
        RowNotFound: If there is no such run.
    """
    query = select(Run).order_by(Run.id.desc()).limit(1)
    if with_labels:
        query = query.options(selectinload(Run.labels))
    run = session.scalar(query if run_id is None else query.where(Run.id == run_id))
    if run is not None:
        return run
    latest = session.scalar(select(func.max(Run.id)))
    if latest is None:
        raise RowNotFound("there is no run yet; start with `factory run dog house`.")
    raise RowNotFound(f"no run {run_id}; the latest is {latest}.")


def find_unfinished(session: Session, request_keys: Sequence[str]) -> Run | None:
    """Return the active or paused run with one of these keys, the latest; None if there is none."""
    states = (RunState.ACTIVE, RunState.PAUSED)
    found = select(Run).where(Run.request_key.in_(request_keys), Run.state.in_(states))
    return session.scalar(found.order_by(Run.id.desc()).limit(1))


def list_run_ids(session: Session) -> list[int]:
    """Return the id of every run, oldest first."""
    return list(session.scalars(select(Run.id).order_by(Run.id)))


def list_runs(session: Session, limit: int = 20) -> list[RunSummary]:
    """Return the latest runs, newest first."""
    labels = select(func.count()).where(Label.run_id == Run.id).scalar_subquery()
    asked = select(func.sum(func.coalesce(Label.quota, Label.per_label)))
    asked = asked.where(Label.run_id == Run.id)
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
            func.coalesce(asked.scalar_subquery(), 0),
        )
        .order_by(Run.id.desc())
        .limit(limit)
    ).all()
    return [replace(RunSummary(*row), names=_first_names(session, row.id)) for row in rows]


def count_runs(session: Session) -> int:
    """Return the number of runs."""
    return session.scalar(select(func.count()).select_from(Run)) or 0


def count_funnel(session: Session, run_id: int) -> tuple[FunnelStage, ...]:
    """Return the results of each origin; of imported pictures only if there are any."""
    rows = session.execute(
        select(Candidate.origin, Candidate.verdict, Candidate.reason, func.count())
        .where(Candidate.run_id == run_id)
        .group_by(Candidate.origin, Candidate.verdict, Candidate.reason)
        .order_by(Candidate.reason)
    )
    return _to_stages((origin, verdict, reason, count) for origin, verdict, reason, count in rows)


def list_images_asked(session: Session, run_id: int) -> dict[str, int]:
    """Return the images that were asked for (`per_label`) by label, as submitted."""
    query = select(Label.name, Label.per_label).where(Label.run_id == run_id).order_by(Label.id)
    return dict(iter(session.execute(query)))


def count_labels(session: Session, run_id: int, *, with_quota: bool = False) -> int:
    """Return the number of labels of a run; `with_quota` counts only those that have a quota."""
    wanted = select(func.count()).where(Label.run_id == run_id)
    if with_quota:
        wanted = wanted.where(Label.quota.is_not(None))
    return session.scalar(wanted) or 0


def count_open_batches(session: Session, run_id: int) -> int | None:
    """Return how many batches of a run are not done; None: a quota may add any number."""
    if session.scalar(select(Label.id).where(Label.run_id == run_id, Label.quota > 0).limit(1)):
        return None
    is_open = Batch.state.in_((BatchState.WAITING, BatchState.IN_FLIGHT))
    return session.scalar(
        select(func.count()).select_from(Batch).where(Batch.run_id == run_id, is_open)
    )


def count_funnel_by_label(session: Session, run_id: int) -> dict[str, tuple[FunnelStage, ...]]:
    """Return the same counts for each label that has candidates, in the order of submission."""
    by_label: dict[str, list[Outcome]] = defaultdict(list)
    for label, origin, verdict, reason, count in count_outcomes(session, run_id):
        by_label[label].append((origin, verdict, reason, count))
    return {label: _to_stages(outcomes) for label, outcomes in by_label.items()}


def count_funnel_of_labels(
    session: Session, run_id: int, label_ids: Sequence[int]
) -> dict[str, tuple[FunnelStage, ...]]:
    """Return the same counts for these labels in this order, also if they have no candidates."""
    named = select(Label.id, Label.name).where(Label.id.in_(label_ids))
    names = dict(iter(session.execute(named)))
    by_label: dict[str, list[Outcome]] = {names[label_id]: [] for label_id in label_ids}
    for label, origin, verdict, reason, count in count_outcomes(session, run_id, label_ids):
        by_label[label].append((origin, verdict, reason, count))
    return {label: _to_stages(outcomes) for label, outcomes in by_label.items()}


def count_outcomes(
    session: Session, run_id: int, label_ids: Sequence[int] | None = None
) -> Iterator[tuple[str, str, str | None, str | None, int]]:
    """Yield label, origin, verdict, reason and number of candidates, labels as submitted.

    Args:
        session: To read with.
        run_id: Id of the run.
        label_ids: Only these labels; None: all.
    """
    some = () if label_ids is None else (Candidate.label_id.in_(label_ids),)
    outcome = (Candidate.verdict, Candidate.reason, Candidate.origin, Candidate.label_id)
    counted = (  # in the column order of an index, so that no sort is needed
        select(*outcome, func.count().label("made"))
        .where(Candidate.run_id == run_id, *some)
        .group_by(*outcome)
        .subquery()
    )
    found = counted.c
    rows = session.execute(
        select(Label.name, found.origin, found.verdict, found.reason, found.made)
        .join(Label, Label.id == found.label_id)
        .order_by(Label.id, found.verdict, found.reason, found.origin)
    )
    yield from rows


def _first_names(session: Session, run_id: int) -> tuple[str, ...]:
    names = select(Label.name).where(Label.run_id == run_id).order_by(Label.id)
    return tuple(session.scalars(names.limit(NAMED_LABELS)))


def list_quarantined(session: Session, run_id: int, limit: int = 100) -> list[QuarantinedItem]:
    """Return the items that were given up, in the order of the work."""
    rows = session.execute(
        select(
            Item.id,
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
        .where(Batch.run_id == run_id, Item.state == ItemState.QUARANTINED)
        .order_by(Item.id)
        .limit(limit)
    )
    return [
        QuarantinedItem(item_id, *locate_item(session, item_id), *rest) for item_id, *rest in rows
    ]


def list_accepted(session: Session, run_id: int) -> list[AcceptedCandidate]:
    """Return the accepted candidates, by label and key."""
    rows = session.execute(
        select(Candidate.id, Label.name, Candidate.origin, Candidate.parent_id)
        .join(Label, Label.id == Candidate.label_id)
        .where(Candidate.run_id == run_id, Candidate.verdict == Verdict.ACCEPTED)
        .order_by(Label.name, Candidate.key)
    )
    return [AcceptedCandidate(*row) for row in rows]


def _to_stages(outcomes: Iterable[Outcome]) -> tuple[FunnelStage, ...]:
    by_origin: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_origin.setdefault(outcome[0], []).append(outcome)
    return tuple(
        _to_stage(origin, by_origin.get(origin, ()))
        for origin in Origin
        if origin in by_origin or origin is not Origin.IMPORTED
    )


def _to_stage(origin: Origin, outcomes: Iterable[Outcome]) -> FunnelStage:
    """Return the numbers of an origin; its most frequent reasons of rejection are first."""
    made, accepted = 0, 0
    rejected: dict[str, int] = {}
    for _, verdict, reason, count in outcomes:
        made += count
        if verdict == Verdict.ACCEPTED:
            accepted += count
        elif verdict == Verdict.REJECTED:
            rejected[reason or ""] = rejected.get(reason or "", 0) + count
    if len(rejected) > 1:
        rejected = dict(sorted(rejected.items(), key=lambda one: one[1], reverse=True))
    return FunnelStage(origin, made, accepted, rejected)
