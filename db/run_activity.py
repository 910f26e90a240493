"""What a run is doing at this moment: who works on what, what failed last, how much is left."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.models import Batch, Item, Label, Run, Step
from chatgenimage.db.session import now
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState

SHOWN_FAILURES = 3

Kind = tuple[str, int]
"""A step's name and round."""


@dataclass(frozen=True, slots=True)
class Hand:
    """A step that a worker holds.

    Attributes:
        since_s: For how long.
        done: Of its items, those that are settled.
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
class Failure:
    """The last error of an item, or of a step that waits.

    Attributes:
        is_final: Whether the item was given up.
        error: The last line of its traceback.
    """

    step: str
    label: str
    batch: int
    is_final: bool
    error: str


@dataclass(frozen=True, slots=True)
class Work:
    """How far a run is, measured in seconds of its models' computing.

    Attributes:
        done_s: Computed so far.
        left_s: Likely to come, by what a step of each kind took; None while a kind that is to
            come was never seen.
    """

    done_s: float
    left_s: float | None

    @property
    def share(self) -> float | None:
        """Return which share of it is done."""
        return None if self.left_s is None else self.done_s / (self.done_s + self.left_s)


def list_hands(session: Session, run_id: int) -> list[Hand]:
    """Return what is worked on, by worker."""
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
        Hand(owner or "", step, number, label, batch, max(time - (started or time), 0.0), *counts)
        for owner, step, number, label, batch, started, *counts in rows
    ]


def list_failures(session: Session, run_id: int, limit: int = SHOWN_FAILURES) -> list[Failure]:
    """Return the items whose last try failed, latest first; what succeeded since is not in it."""
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
        Failure(step, label, batch, state == ItemState.QUARANTINED, _last_line(error))
        for step, label, batch, state, error in rows
    ]


def list_durations(session: Session, run_id: int) -> dict[Kind, float]:
    """Return what the models took per image of a batch in the run before with the same models.

    By that a run is measured whose own steps of a kind are still to come; empty for the first.
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
) -> Work:
    """Return how far the run is.

    A batch that waits has no steps yet; it is taken to get as many of each kind as those that have.

    Args:
        session: To read with.
        run_id: Which run.
        durations: Of the run before, for the kinds of steps that this one did not finish yet.
    """
    known = durations or {}
    planned = select(func.count()).where(Batch.run_id == run_id, Batch.state != BatchState.WAITING)
    waiting = select(func.count()).where(Batch.run_id == run_id, Batch.state == BatchState.WAITING)
    growth = 1.0 + (session.scalar(waiting) or 0) / max(session.scalar(planned) or 0, 1)
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
    is_known &= done_s > 0  # else nothing was begun
    return Work(done_s, left_s if is_known else None)


def _by_kind(run_id: int) -> Select[str, int, float, int, int, float, float]:
    """Return a query for each kind of step: images of its batches, how many, what they took."""
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


def _last_line(error: str | None) -> str:
    return ((error or "").strip().splitlines() or [""])[-1]
