"""Current activity of a run: steps in progress, recent failures and remaining work."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.clock import now
from chatgenimage.db.error_messages import reason_of
from chatgenimage.db.models import Batch, Candidate, Item, Label, Run, Step
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState, Verdict

SHOWN_FAILURES = 3
FILTER = "filter"
"""The step that gives verdicts."""

Kind = tuple[str, int]
"""Name and round of a step."""


@dataclass(frozen=True, slots=True)
class HeldStep:
    """A step that a worker holds.

    Attributes:
        since_s: Seconds since the claim.
        done: Number of its finished items.
    """

    worker: str
    step: str
    round: int
    label: str
    batch: int
    since_s: float
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class LatestFailure:
    """The last error of an item, or of a waiting step.

    Attributes:
        is_final: Whether the item was given up.
        error: Why, in one line.
    """

    step: str
    label: str
    batch: int
    is_final: bool
    error: str


@dataclass(frozen=True, slots=True)
class ComputeProgress:
    """Progress of a run, in seconds of computing time.

    Attributes:
        done_s: Computed so far.
        left_s: Estimate of the rest, from the mean of each kind of step; None while a kind that is
            still to come has never been measured.
    """

    done_s: float
    left_s: float | None

    @property
    def share(self) -> float | None:
        """Return the share that is done, in [0, 1]."""
        return None if self.left_s is None else self.done_s / (self.done_s + self.left_s)


@dataclass(frozen=True, slots=True)
class RecentWork:
    """What a run did in a recent time: seconds of computing, new images and accepted ones."""

    work_s: float
    images: int
    accepted: int


def list_held_steps(session: Session, run_id: int) -> list[HeldStep]:
    """Return the steps in progress, by worker."""
    time = now(session)
    settled = func.count(Item.id).filter(Item.state != ItemState.READY)
    rows = session.execute(
        select(
            Step.owner,
            Step.name,
            Step.round,
            Label.name,
            Batch.index,
            Step.started_at,
            settled,
            func.count(Item.id),
        )
        .join(Batch, Batch.id == Step.batch_id)
        .join(Label, Label.id == Batch.label_id)
        .outerjoin(Item, Item.step_id == Step.id)
        .where(Batch.run_id == run_id, Step.state == StepState.RUNNING)
        .group_by(Step.id, Label.id, Batch.id)
        .order_by(Step.owner, Step.id)
    )
    return [
        HeldStep(
            owner or "", step, number, label, batch, max(time - (started or time), 0.0), *counts
        )
        for owner, step, number, label, batch, started, *counts in rows
    ]


def list_failures(
    session: Session, run_id: int, limit: int = SHOWN_FAILURES
) -> list[LatestFailure]:
    """Return the items whose last attempt failed, newest first; later successes are left out."""
    rows = session.execute(
        select(Step.name, Label.name, Batch.index, Item.state, Item.error)
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .join(Label, Label.id == Batch.label_id)
        .where(Batch.run_id == run_id, Item.state != ItemState.DONE, Item.error.is_not(None))
        .order_by(Item.id.desc())
        .limit(limit)
    )
    return [
        LatestFailure(step, label, batch, state == ItemState.QUARANTINED, reason_of(error))
        for step, label, batch, state, error in rows
    ]


def list_durations(session: Session, run_id: int) -> dict[Kind, float]:
    """Return the mean computing time per image of a batch in the last run with the same models.

    Used for the kinds of steps that a run has not finished yet; empty if there is no such run.
    """
    this = aliased(Run)
    before = session.scalar(
        select(Run.id)
        .join(this, this.models_key == Run.models_key)
        .where(this.id == run_id, Run.id < run_id, Run.state == RunState.DONE)
        .order_by(Run.id.desc())
        .limit(1)
    )
    kinds = [] if before is None else session.execute(_by_kind(before)).all()
    return {
        (name, number): finished_s / (finished * images)
        for name, number, images, _, finished, finished_s, _ in kinds
        if finished
    }


def measure_work(
    session: Session, run_id: int, durations: Mapping[Kind, float] | None = None
) -> ComputeProgress:
    """Return the progress of a run.

    A waiting batch has no steps yet, nor has one that was cancelled before its start; such a batch
    is assumed to get as many of each kind as the others.

    Args:
        session: To read with.
        run_id: Id of the run.
        durations: From `list_durations`, for kinds of steps that this run has not finished yet.
    """
    known = durations or {}
    growth = _measure_growth(session, run_id)
    done_s, left_s = 0.0, 0.0
    is_known = True
    for name, number, images, steps, finished, finished_s, begun_s in session.execute(
        _by_kind(run_id)
    ):
        done_s += finished_s + begun_s
        to_come = steps * growth - finished
        each_s = finished_s / finished if finished else images * known.get((name, number), 0.0)
        is_known &= finished > 0 or to_come <= 0 or (name, number) in known
        left_s += max(to_come * each_s - begun_s, 0.0)
    is_known &= done_s > 0  # otherwise nothing has started
    return ComputeProgress(done_s, left_s if is_known else None)


def measure_recent(session: Session, run_id: int, since: float) -> RecentWork:
    """Return what a run did since a time (seconds since the epoch), from stored times.

    A step counts with its whole computing time if it finished since then, or is running; a
    candidate counts as accepted when the filter step of its batch and round finished.
    """
    steps = (Batch.id == Step.batch_id, Batch.run_id == run_id)
    is_recent = or_(Step.finished_at >= since, Step.state == StepState.RUNNING)
    work_s = select(func.sum(Item.duration_s)).join(Step, Step.id == Item.step_id)
    made = select(func.count()).where(Candidate.run_id == run_id, Candidate.created_at >= since)
    accepted = (
        select(func.count(Candidate.id.distinct()))
        .join(Step, and_(Step.batch_id == Candidate.batch_id, Step.round == Candidate.round))
        .where(Candidate.run_id == run_id, Candidate.verdict == Verdict.ACCEPTED)
        .where(Step.name == FILTER, Step.finished_at >= since)
    )
    return RecentWork(
        session.scalar(work_s.join(Batch, and_(*steps)).where(is_recent)) or 0.0,
        session.scalar(made) or 0,
        session.scalar(accepted) or 0,
    )


def _measure_growth(session: Session, run_id: int) -> float:
    """Return the number of batches divided by the number of those that have steps."""
    batches = select(func.count()).where(Batch.run_id == run_id)
    has_steps = select(Step.id).where(Step.batch_id == Batch.id).exists()
    never_started = or_(
        Batch.state == BatchState.WAITING, and_(Batch.state == BatchState.CANCELLED, ~has_steps)
    )
    waiting = session.scalar(batches.where(never_started)) or 0
    return 1.0 + waiting / max((session.scalar(batches) or 0) - waiting, 1)


def _by_kind(run_id: int) -> Select[str, int, float, int, int, float, float]:
    """Return a query for each kind of step: images of its batches, number and durations."""
    is_done = Step.state == StepState.DONE
    took_s = (
        select(Item.step_id, func.sum(Item.duration_s).label("took_s"))
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id == run_id)
        .group_by(Item.step_id)
        .subquery()
    )
    return (
        select(
            Step.name,
            Step.round,
            func.avg(Batch.size * 1.0),
            func.count(Step.id),
            func.count(Step.id).filter(is_done),
            func.coalesce(func.sum(took_s.c.took_s).filter(is_done), 0.0),
            func.coalesce(func.sum(took_s.c.took_s).filter(~is_done), 0.0),
        )
        .join(Batch, Batch.id == Step.batch_id)
        .outerjoin(took_s, took_s.c.step_id == Step.id)
        .where(Batch.run_id == run_id, Batch.state != BatchState.WAITING)
        .group_by(Step.name, Step.round)
    )
